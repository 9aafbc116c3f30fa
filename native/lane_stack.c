#include "lane_stack.h"

#include <pthread.h>
#include <unistd.h>

#include "syscalls.h"

/* At the top of a spare stack, where its pages have been touched anyway. */
struct spare {
  struct spare *next;
  char *stack;
  size_t bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct spare *spares;
static size_t count, fewest; /* fewest since the last trim: so many were wanted by nobody */

static size_t guard_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static void *map_stack(size_t bytes) {
  size_t guard = guard_bytes();
  char *memory = sys_map(guard + bytes);
  if (memory == NULL) return NULL;
  if (sys_protect(memory, guard) == 0) return memory + guard;
  sys_unmap(memory, guard + bytes);
  return NULL;
}

void *stack_take(size_t bytes) {
  pthread_mutex_lock(&lock);
  struct spare *spare = spares;
  bool fits = spare != NULL && spare->bytes == bytes;
  if (fits) {
    spares = spare->next;
    if (--count < fewest) fewest = count;
  }
  pthread_mutex_unlock(&lock);
  return fits ? spare->stack : map_stack(bytes);
}

void stack_give(void *stack, size_t bytes) {
  struct spare *spare = (void *)((char *)stack + bytes - sizeof *spare);
  spare->stack = stack;
  spare->bytes = bytes;
  pthread_mutex_lock(&lock);
  spare->next = spares;
  spares = spare;
  count++;
  pthread_mutex_unlock(&lock);
}

bool stacks_spare(void) {
  pthread_mutex_lock(&lock);
  bool some = count > 0;
  pthread_mutex_unlock(&lock);
  return some;
}

/* Takes so many off the list. Under the lock. */
static struct spare *detach(size_t some) {
  if (some == 0) return NULL;
  struct spare *detached = spares, *last = spares;
  for (size_t i = 1; i < some; i++) last = last->next;
  spares = last->next;
  last->next = NULL;
  count -= some;
  return detached;
}

void stacks_trim(bool all) {
  pthread_mutex_lock(&lock);
  struct spare *spare = detach(all ? count : fewest);
  fewest = count;
  pthread_mutex_unlock(&lock);
  while (spare != NULL) {
    struct spare *next = spare->next;
    sys_unmap(spare->stack - guard_bytes(), guard_bytes() + spare->bytes);
    spare = next;
  }
}
