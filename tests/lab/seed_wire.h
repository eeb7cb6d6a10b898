/*
 * seed_wire.h - a Redis client just large enough for the lab's loader.
 *
 * Independent of the product on purpose: its own sockets, key hashing and reply reader, so that
 * data loaded by it can convict the product. Any error ends the program with a message. One thread.
 * Commands to one primary are pipelined; replies are read, and must not be errors, before the next
 * batch to that primary goes out.
 */
#ifndef TESTS_LAB_SEED_WIRE_H
#define TESTS_LAB_SEED_WIRE_H

#include <stddef.h>

struct bytes {
    const void *data;
    size_t len;
};

/* Text and literals with any bytes inside, as arguments. */
struct bytes text(const char *s);
#define LITERAL(s) ((struct bytes){(s), sizeof(s) - 1})

/* Connects to one node and, in a cluster, to every primary. address is HOST:PORT. */
void wire_open(const char *address, const char *password, const char *ca_file);
/* Queues one command for the primary that serves key, which is not added to the arguments. */
void wire_send(struct bytes key, size_t count, const struct bytes *args);
/* Waits for every reply. */
void wire_finish(void);
void wire_close(void);
size_t wire_primaries(void);

#endif
