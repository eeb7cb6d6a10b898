/*
 * stream_tcp.h - a TCP connection: name lookup, every address in turn, keep-alive, no delay.
 *
 * Addresses are tried one after the other, each for at most two seconds while more are left. Errors
 * are ERROR_UNREACHABLE and name the address that was meant. See stream.h for the rules of use.
 */
#ifndef CORE_NET_STREAM_TCP_H
#define CORE_NET_STREAM_TCP_H

#include "core/net/stream.h"

struct stream *stream_tcp_open(const struct address *address);

#endif
