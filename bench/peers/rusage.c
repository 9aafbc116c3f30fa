/*
 * rusage FILE PROGRAM ARG...: runs PROGRAM and writes into FILE what it and its children took, as one line of JSON. It ends as
 * PROGRAM does. wait4(2) tells the largest of them in max_rss_kib.
 */
#include "peer.h"

#include <signal.h>
#include <sys/wait.h>

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: rusage FILE PROGRAM ARG...\n");
    return 2;
  }
  int64_t started = now_ns();
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    execvp(argv[2], argv + 2);
    die(argv[2]);
  }
  /* What ends the group is for the child: this one tells what it took. */
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGTERM, &ignore, NULL);
  int status;
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0)
    if (errno != EINTR) die("wait4");
  double seconds = (double)(now_ns() - started) / 1e9;
  double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  FILE *file = fopen(argv[1], "we");
  if (!file) die(argv[1]);
  fprintf(file, "{\"seconds\":%.3f,\"cpuSeconds\":%.3f,\"maxRssKib\":%ld}\n", seconds, cpu, usage.ru_maxrss);
  fclose(file);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
