/*
 * A closed-loop HTTP/1.1 load on kept connections: each connection sends the same bytes again as soon as it has been answered.
 *
 *   load address=127.0.0.1:8080 request=FILE connections=32 warm=1000 warmRequests=10000 measure=2000 pids=12,13
 *   load address=127.0.0.1:8080 request=FILE connections=1 once=1 upload=1073741824 pause=0 pids=12
 *
 * request: a file with the bytes of the request. warm, measure, pause: milliseconds; warmRequests: so many answers belong to the
 * warming up, however long they take (but WARM_DEADLINE). once: one exchange, measured whole, then the end; upload: so many more
 * bytes follow the request; pause: the client does not read for so long after the first bytes of the body. pids: processes whose CPU time is taken at both ends of the measurement. Prints one line of JSON; bench/load.mjs is its twin.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_HEAD = 8192, MOST_PIDS = 16, READ_SIZE = 1 << 18 };
/* Nothing in a bench may take longer, in seconds. */
static const double DEADLINE = 300, WARM_DEADLINE = 15;

struct connection {
  int fd;
  int in_body, chunked, bad, began, answered;
  size_t head_length;
  int64_t remaining; /* of the body; chunked: not used */
  char tail[5];      /* chunked: the last bytes seen */
  int64_t sent;      /* of the request and the upload together */
  double start;
  char head[MOST_HEAD + 1];
};

static struct sockaddr_in address;
static int connections = 1, unanswered, once, epoll, running = 1;
static double warm, measure, pause_ms;
static int64_t upload, requests, errors, received, warm_requests;
static char *request;
static size_t request_length;
static char buffer[READ_SIZE], filler[READ_SIZE];
static pid_t pids[MOST_PIDS];
static int pid_count;
static uint32_t *latencies;
static size_t latency_count, latency_room;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* Microseconds of CPU that a process has used in all its threads. */
static double cpu_of(pid_t pid) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void arm(struct connection *connection, int writing) {
  struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = connection};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0) fail("epoll_ctl");
}

static void send_request(struct connection *connection) {
  int64_t whole = (int64_t)request_length + upload;
  int waited = connection->sent > 0;
  while (connection->sent < whole) {
    int64_t left = connection->sent < (int64_t)request_length ? (int64_t)request_length - connection->sent : whole - connection->sent;
    const char *from = connection->sent < (int64_t)request_length ? request + connection->sent : filler;
    ssize_t written = send(connection->fd, from, left < READ_SIZE ? left : READ_SIZE, MSG_NOSIGNAL);
    if (written < 0 && errno == EAGAIN) return arm(connection, 1);
    if (written < 0) return; /* The read tells what happened. */
    connection->sent += written;
  }
  if (waited) arm(connection, 0);
}

static void begin(struct connection *connection) {
  connection->in_body = connection->chunked = connection->bad = connection->began = 0;
  connection->head_length = 0;
  connection->sent = 0;
  memset(connection->tail, 0, sizeof connection->tail);
  connection->start = now();
  send_request(connection);
}

static void open_connection(struct connection *connection) {
  int on = 1;
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection->fd < 0) fail("socket");
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  fcntl(connection->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) fail("epoll_ctl");
  begin(connection);
}

static void reopen(struct connection *connection) {
  close(connection->fd);
  if (running) open_connection(connection);
}

static void finish(struct connection *connection) {
  requests += 1;
  errors += connection->bad;
  unanswered -= !connection->answered;
  connection->answered = 1;
  if (latency_count == latency_room) {
    latency_room = latency_room ? latency_room * 2 : 1 << 16;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
    if (latencies == NULL) fail("realloc");
  }
  latencies[latency_count++] = (now() - connection->start) * 1e6;
  if (once) running = 0;
  else begin(connection);
}

static void read_head(struct connection *connection, const char *end) {
  connection->bad = strncmp(connection->head, "HTTP/1.1 200", 12) != 0;
  const char *length = strcasestr(connection->head, "\r\ncontent-length:");
  connection->chunked = length == NULL || length > end;
  connection->remaining = connection->chunked ? 0 : strtoll(length + 17, NULL, 10);
  connection->in_body = 1;
}

/* True: the body is whole. The bodies of a bench do not contain what ends a chunked one. */
static int read_body(struct connection *connection, const char *bytes, size_t length) {
  received += length;
  if (length > 0 && !connection->began) {
    connection->began = 1;
    if (pause_ms > 0) usleep(pause_ms * 1000);
  }
  if (!connection->chunked) return (connection->remaining -= length) <= 0;
  size_t kept = length < 5 ? 5 - length : 0;
  memmove(connection->tail, connection->tail + 5 - kept, kept);
  memcpy(connection->tail + kept, bytes + length - (5 - kept), 5 - kept);
  return memcmp(connection->tail, "0\r\n\r\n", 5) == 0;
}

static void receive(struct connection *connection) {
  ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    /* Between two answers a server may close; the request that had been sent by then is sent again, and shows as a slow one. */
    if (connection->in_body || connection->head_length > 0 || got < 0) errors += 1;
    if (once) running = 0;
    return reopen(connection);
  }
  const char *bytes = buffer;
  size_t length = got;
  if (!connection->in_body) {
    size_t before = connection->head_length;
    size_t taken = length < MOST_HEAD - before ? length : MOST_HEAD - before;
    memcpy(connection->head + before, bytes, taken);
    connection->head_length += taken;
    connection->head[connection->head_length] = 0;
    char *end = memmem(connection->head, connection->head_length, "\r\n\r\n", 4);
    if (end == NULL) return;
    read_head(connection, end);
    size_t skipped = end + 4 - connection->head - before;
    bytes += skipped;
    length -= skipped;
  }
  if (read_body(connection, bytes, length)) finish(connection);
}

static int by_value(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static void report(double seconds, const double *cpu) {
  qsort(latencies, latency_count, sizeof *latencies, by_value);
  printf("{\"requests\":%lld,\"errors\":%lld,\"seconds\":%.6f,\"bytes\":%lld,\"p50\":%u,\"p99\":%u,\"cpu\":[", (long long)requests,
         (long long)errors, seconds, (long long)received, latency_count ? latencies[latency_count / 2] : 0,
         latency_count ? latencies[latency_count * 99 / 100] : 0);
  for (int index = 0; index < pid_count; index += 1) printf("%s%.1f", index ? "," : "", cpu[index]);
  printf("]}\n");
}

static void run(void) {
  double cpu[MOST_PIDS] = {0};
  double started = now(), from = 0;
  struct epoll_event events[256];
  struct connection *all = calloc(connections, sizeof *all);
  if (all == NULL) fail("calloc");
  unanswered = connections;
  for (int phase = 0; running;) {
    double time = now();
    /* Node accepts one connection in each turn of its loop: a thousand take seconds to be there. */
    int warmed = time - started >= warm / 1000 && requests >= warm_requests && unanswered == 0;
    warmed |= time - started >= WARM_DEADLINE;
    if (phase == 0 && (once || warmed)) {
      for (int index = 0; index < pid_count; index += 1) cpu[index] = cpu_of(pids[index]);
      requests = errors = received = latency_count = 0;
      from = time;
      phase = 1;
    }
    if (phase == 1 && !once && time - from >= measure / 1000) break;
    if (time - started > DEADLINE) {
      errors += 1;
      break;
    }
    for (int index = 0; index < connections && all[index].fd == 0; index += 1) open_connection(&all[index]);
    int ready = epoll_wait(epoll, events, 256, 20);
    for (int index = 0; index < ready; index += 1) {
      struct connection *connection = events[index].data.ptr;
      if (events[index].events & EPOLLOUT) send_request(connection);
      if (events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(connection);
    }
  }
  for (int index = 0; index < pid_count; index += 1) cpu[index] = cpu_of(pids[index]) - cpu[index];
  report(now() - from, cpu);
}

static void read_request(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail(path);
  fseek(file, 0, SEEK_END);
  request_length = ftell(file);
  rewind(file);
  request = malloc(request_length);
  if (request == NULL || fread(request, 1, request_length, file) != request_length) fail(path);
  fclose(file);
}

static void read_argument(char *argument) {
  char *value = strchr(argument, '=');
  if (value == NULL) fail(argument);
  *value++ = 0;
  if (strcmp(argument, "address") == 0) {
    char *port = strrchr(value, ':');
    *port++ = 0;
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(port));
    inet_pton(AF_INET, value, &address.sin_addr);
  } else if (strcmp(argument, "request") == 0) read_request(value);
  else if (strcmp(argument, "connections") == 0) connections = atoi(value);
  else if (strcmp(argument, "once") == 0) once = atoi(value);
  else if (strcmp(argument, "warm") == 0) warm = atof(value);
  else if (strcmp(argument, "warmRequests") == 0) warm_requests = atoll(value);
  else if (strcmp(argument, "measure") == 0) measure = atof(value);
  else if (strcmp(argument, "pause") == 0) pause_ms = atof(value);
  else if (strcmp(argument, "upload") == 0) upload = atoll(value);
  else if (strcmp(argument, "pids") == 0) {
    for (char *pid = strtok(value, ","); pid != NULL && pid_count < MOST_PIDS; pid = strtok(NULL, ",")) pids[pid_count++] = atoi(pid);
  }
}

int main(int count, char **arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int index = 1; index < count; index += 1) read_argument(arguments[index]);
  memset(filler, 'x', sizeof filler);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  run();
  return 0;
}
