/*
 * A FastCGI application that costs next to nothing: it reads a request to the end of its STDIN and answers with so many bytes.
 *
 *   responder unix=/private/fcgi.sock port=9000 bytes=100 record=65528 pause=0 raw=0
 *
 * record: content of a FCGI_STDOUT record (65,528 is the most that php-fpm sends in one). pause: milliseconds for which it stops to
 * read at the first bytes of a body. raw=1: no FastCGI, it reads to the end of the stream and answers with so many bytes, then
 * closes. An answer longer than a record is for one connection at a time. bench/responder.mjs is its twin.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, STDIN = 5, STDOUT = 6, KEEP_CONN = 1, HEADER = 8, READ_SIZE = 1 << 18 };
/* Records in the buffer that is written again and again. */
enum { RECORDS = 8 };

struct connection {
  int fd;
  int listening;
  unsigned char header[HEADER], body[8];
  size_t header_length, body_length;
  uint32_t skip; /* Of the record: content and padding still to come. */
  int keep, answering, paused, ended;
  unsigned id;
  int64_t position; /* In the framed answer. */
};

static int epoll, raw;
static int64_t bytes = 100;
static int record = 65528;
static double pause_ms;
static unsigned char buffer[READ_SIZE];
/* The answer: the first record with the CGI head, then `unit` over and over, then `tail`. */
static unsigned char *first, *unit, *tail;
static int64_t first_length, unit_length, full_length, tail_length;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static size_t put_record(unsigned char *at, int type, const void *content, int length) {
  int padding = -length & 7;
  unsigned char header[HEADER] = {1, type, 0, 1, length >> 8, length & 255, padding, 0};
  memcpy(at, header, HEADER);
  if (content != NULL) memcpy(at + HEADER, content, length);
  else memset(at + HEADER, 'x', length);
  memset(at + HEADER + length, 0, padding);
  return HEADER + length + padding;
}

static void build_answer(void) {
  char content[65536];
  unsigned char end[8] = {0};
  int length = sprintf(content, "X-Powered-By: bench\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: %lld\r\n\r\n", (long long)bytes);
  int room = record - length;
  int64_t with_head = bytes < room ? bytes : room;
  memset(content + length, 'x', with_head);
  first = malloc(2 * (HEADER + 65536) + 2 * HEADER);
  first_length = put_record(first, STDOUT, content, length + with_head);
  unit = malloc((size_t)RECORDS * (HEADER + 65536));
  for (int index = 0; index < RECORDS; index += 1) unit_length += put_record(unit + unit_length, STDOUT, NULL, record);
  int64_t rest = bytes - with_head;
  full_length = rest / record * (unit_length / RECORDS);
  tail = malloc(4 * HEADER + 65536);
  if (rest % record > 0) tail_length = put_record(tail, STDOUT, NULL, rest % record);
  tail_length += put_record(tail + tail_length, END_REQUEST, end, 8);
  /* A short answer leaves in one write, as php-fpm's does. */
  memcpy(first + first_length, tail, full_length == 0 ? tail_length : 0);
  if (full_length > 0) return;
  first_length += tail_length;
  tail_length = 0;
}

static void build_raw_answer(void) {
  unit = malloc(unit_length = READ_SIZE);
  memset(unit, 'x', unit_length);
  full_length = bytes;
}

static void set_id(unsigned char *at, int64_t length, unsigned id) {
  for (unsigned char *end = at + length; at < end; at += HEADER + (at[4] << 8 | at[5]) + at[6]) {
    at[2] = id >> 8;
    at[3] = id & 255;
  }
}

static void watch(int operation, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll, operation, connection->fd, &event) != 0) fail("epoll_ctl");
}

static void end(struct connection *connection) {
  close(connection->fd);
  free(connection);
}

/* False: the connection is gone. */
static int answer(struct connection *connection) {
  int64_t whole = first_length + full_length + tail_length;
  while (connection->position < whole) {
    int64_t at = connection->position;
    unsigned char *from;
    int64_t left;
    if (at < first_length) from = first + at, left = first_length - at;
    else if ((at -= first_length) < full_length) {
      from = unit + at % unit_length;
      left = unit_length - at % unit_length;
      if (left > full_length - at) left = full_length - at;
    } else at -= full_length, from = tail + at, left = tail_length - at;
    ssize_t written = send(connection->fd, from, left, MSG_NOSIGNAL);
    if (written < 0 && errno == EAGAIN) return watch(EPOLL_CTL_MOD, connection, EPOLLOUT), 1;
    if (written < 0) return end(connection), 0;
    connection->position += written;
  }
  if (!connection->keep) return end(connection), 0;
  if (connection->answering == 2) watch(EPOLL_CTL_MOD, connection, EPOLLIN);
  connection->answering = 0;
  return 1;
}

static int begin_answer(struct connection *connection) {
  connection->position = 0;
  connection->answering = 1;
  connection->paused = 0;
  if (!raw) {
    set_id(first, first_length, connection->id);
    set_id(unit, full_length > 0 ? unit_length : 0, connection->id);
    set_id(tail, tail_length, connection->id);
  }
  int open = answer(connection);
  if (open && connection->answering) connection->answering = 2;
  return open;
}

static void pause_once(struct connection *connection) {
  if (pause_ms == 0 || connection->paused) return;
  connection->paused = 1;
  usleep(pause_ms * 1000);
}

/* One record's header is complete. False: the connection is gone. */
static int begin_record(struct connection *connection) {
  const unsigned char *header = connection->header;
  int length = header[4] << 8 | header[5];
  connection->skip = length + header[6];
  connection->id = header[2] << 8 | header[3];
  connection->body_length = 0;
  if (header[1] == STDIN && length > 0) pause_once(connection);
  if (header[1] == STDIN && length == 0) return begin_answer(connection);
  return 1;
}

static void receive(struct connection *connection) {
  ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (raw && got == 0) {
    begin_answer(connection);
    return;
  }
  if (got <= 0) return end(connection);
  if (raw) return pause_once(connection);
  for (ssize_t at = 0; at < got;) {
    if (connection->skip > 0) {
      uint32_t part = connection->skip < got - at ? connection->skip : got - at;
      /* The flags are the third byte of FCGI_BEGIN_REQUEST's content. */
      if (connection->header[1] == BEGIN_REQUEST && connection->body_length < 3 && connection->body_length + part >= 3) {
        connection->keep = buffer[at + 2 - connection->body_length] & KEEP_CONN;
      }
      connection->body_length += part;
      connection->skip -= part;
      at += part;
      continue;
    }
    connection->header[connection->header_length++] = buffer[at++];
    if (connection->header_length < HEADER) continue;
    connection->header_length = 0;
    if (!begin_record(connection)) return;
  }
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *connection = calloc(1, sizeof *connection);
    connection->fd = fd;
    watch(EPOLL_CTL_ADD, connection, EPOLLIN);
  }
}

static void listen_on(struct sockaddr *address, socklen_t length) {
  int on = 1;
  struct connection *listener = calloc(1, sizeof *listener);
  listener->listening = 1;
  listener->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener->fd, address, length) != 0) fail("bind");
  if (listen(listener->fd, 4096) != 0) fail("listen");
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
}

static void read_argument(char *argument) {
  char *value = strchr(argument, '=');
  if (value == NULL) fail(argument);
  *value++ = 0;
  if (strcmp(argument, "unix") == 0) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, value, sizeof address.sun_path - 1);
    listen_on((struct sockaddr *)&address, sizeof address);
  } else if (strcmp(argument, "port") == 0) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(value)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listen_on((struct sockaddr *)&address, sizeof address);
  } else if (strcmp(argument, "bytes") == 0) bytes = atoll(value);
  else if (strcmp(argument, "record") == 0) record = atoi(value);
  else if (strcmp(argument, "pause") == 0) pause_ms = atof(value);
  else if (strcmp(argument, "raw") == 0) raw = atoi(value);
}

int main(int count, char **arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int index = 1; index < count; index += 1) read_argument(arguments[index]);
  if (raw) build_raw_answer();
  else build_answer();
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int index = 0; index < ready; index += 1) {
      struct connection *connection = events[index].data.ptr;
      if (connection->listening) accept_all(connection->fd);
      else if (connection->answering) answer(connection);
      else receive(connection);
    }
  }
}
