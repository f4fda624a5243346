/* A native function for the supervisor's JavaScript: trim() hands the pages of the runtime's program text back to the
 * page cache. The runtime touches some 20 MB of text and constants while it starts, a supervisor needs a few of them
 * afterwards; what is needed again is mapped again without any I/O (madvise(2), MADV_DONTNEED on private file mappings
 * that were never written). Compiled as an add-on (N-API, whose four names are declared here: no headers to fetch). */
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct napi_env_s *napi_env;
typedef struct napi_value_s *napi_value;
typedef struct napi_callback_info_s *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);

extern int napi_create_function(napi_env env, const char *name, size_t length, napi_callback callback, void *data,
                                napi_value *result);

/* Segments that the program itself may write keep their relocations in those pages: they are left alone. */
static int drop_object(struct dl_phdr_info *object, size_t size, void *data) {
  (void)size;
  uintptr_t page = *(const uintptr_t *)data;
  for (size_t i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0)
      continue;
    /* Inwards to whole pages: the page at either end may be shared with a segment that is written. */
    uintptr_t start = (object->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
    uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
    if (start < end)
      (void)madvise((void *)start, end - start, MADV_DONTNEED); /* A refusal costs nothing but memory. */
  }
  return 0;
}

static napi_value trim(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  dl_iterate_phdr(drop_object, &page);
  return NULL;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports);

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function = NULL;
  return napi_create_function(env, "trim", 4, trim, NULL, &function) == 0 ? function : exports;
}
