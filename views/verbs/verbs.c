#include "views/verbs/verb.h"

#include "core/base/attr.h"

/* The order of --help. */
/* clang-format off */
static const struct verb *const verbs[] = {
    &verb_status,
    &verb_check,
    &verb_nodes,
    &verb_slots,
    &verb_events,
    &verb_backup,
    &verb_restore,
    &verb_verify,
    &verb_snapshot,
    &verb_diff,
    &verb_list,
    &verb_show,
    &verb_download,
    &verb_delete,
    &verb_prune,
    &verb_jobs,
    &verb_doctor,
    &verb_help,
    &verb_version,
    &verb_docs,
};
/* clang-format on */

size_t verb_count(void)
{
    return COUNT_OF(verbs);
}

const struct verb *verb_at(size_t index)
{
    return index < COUNT_OF(verbs) ? verbs[index] : NULL;
}

const struct verb *verb_find(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (str_is(name, verbs[i]->name) ||
            (verbs[i]->alias != NULL && str_is(name, verbs[i]->alias)))
            return verbs[i];
    return NULL;
}
