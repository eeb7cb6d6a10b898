/*
 * who.h - the operator who started this process: for job files and the audit log.
 *
 * Every field is escaped text, empty when unknown. Any thread.
 */
#ifndef CORE_CONFIG_WHO_H
#define CORE_CONFIG_WHO_H

struct who {
    char user[64];      /* name of the effective user, or the number */
    char sudo_user[64]; /* SUDO_USER */
    char ssh[128];      /* SSH_CONNECTION: client address and ports */
    char terminal[64];  /* device of standard input */
    char host[128];
};

void who_now(struct who *out);

#endif
