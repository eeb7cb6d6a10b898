/*
 * detector.h - the checks that make a backup or restore honest, each with a switch at compile time.
 *
 * All are on, cost nothing, and no option, variable or file turns one off: only -DDETECTOR_X=0
 * does, which `make check-faults` builds to show that the fault tests fail without the detector
 * that they are about (a test that passes either way proves nothing). Never ship such a build.
 */
#ifndef CORE_BASE_DETECTOR_H
#define CORE_BASE_DETECTOR_H

/* All of them at once. */
#ifndef DETECTORS
#define DETECTORS 1
#endif

/* Backup: the node is still a primary, asked with each batch and at each look. */
#ifndef DETECTOR_ROLE
#define DETECTOR_ROLE DETECTORS
#endif
/* Backup: the server behind the connection is still the process that the cursor came from. */
#ifndef DETECTOR_RUN_ID
#define DETECTOR_RUN_ID DETECTORS
#endif
/* Backup: the owner of each slot before, during and after a pass is one and the same. */
#ifndef DETECTOR_MAP
#define DETECTOR_MAP DETECTORS
#endif
/* Backup: the config epoch of the node; slots that went away and came back raise it. */
#ifndef DETECTOR_EPOCH
#define DETECTOR_EPOCH DETECTORS
#endif
/* Backup: slots that were open (migrating or importing) at any look. */
#ifndef DETECTOR_OPEN
#define DETECTOR_OPEN DETECTORS
#endif
/* Backup: slots that the others found are read again, or make the backup incomplete. */
#ifndef DETECTOR_DIRTY
#define DETECTOR_DIRTY DETECTORS
#endif
/* Restore: XCLAIM took exactly the pending entries that it was asked to take. */
#ifndef DETECTOR_CLAIM
#define DETECTOR_CLAIM DETECTORS
#endif
/* Restore: the servers evicted nothing while we wrote. */
#ifndef DETECTOR_EVICTED
#define DETECTOR_EVICTED DETECTORS
#endif

#endif
