#include "views/verbs/restore_remarks.h"

#include <stddef.h>

const struct restore_remark restore_remarks[] = {
    {"removed", "Removed, because the backup lacks them", false},
    {"repeated", "In the backup more than once, of which the last counts", false},
    {"conflicts", "Created by others meanwhile, and left alone", false},
    {"unsure", "There, but perhaps not ours", false},
    {"rewritten", "Written again after a failover", false},
    {"replaced", "Of another value after a failover, and replaced again", false},
    {"changed", "New and of another value after a failover, and left alone", false},
    {"evicted", "Evicted by the servers meanwhile", false},
    {"uncounted", "Servers that could not say whether they evicted keys", true},
    {NULL, NULL, false},
};
