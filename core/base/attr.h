/*
 * attr.h - the few compiler attributes and macros the code relies on (gcc >= 9, clang >= 10).
 */
#ifndef CORE_BASE_ATTR_H
#define CORE_BASE_ATTR_H

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#endif
