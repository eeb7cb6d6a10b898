/*
 * process_env.h - the only door to the process environment.
 *
 * Nothing else in the program calls getenv: what a module needs from the environment is given to
 * it as a value or as an `env_lookup`, so that tests decide what the environment is. Any thread
 * (the program never changes its own environment).
 */
#ifndef CORE_CONFIG_PROCESS_ENV_H
#define CORE_CONFIG_PROCESS_ENV_H

/* NULL when the variable is not set. The text lives as long as ctx. */
typedef const char *(*env_lookup)(const void *ctx, const char *name);

/* An env_lookup over the process environment; ctx is ignored. */
const char *process_env(const void *ctx, const char *name);
/* The same, with unset and empty both as NULL. */
const char *process_env_text(const char *name);

#endif
