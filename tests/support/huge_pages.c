/*
 * huge_pages.c: is linked into programs under AddressSanitizer, where a third of a short one's time went into the
 * runtime's tables: four megabytes of variables, of which it writes here and there and reads all when it looks for
 * leaks, a page fault for each page. They are asked for in huge pages.
 *
 * That must be done before the runtime starts, which is before any constructor. What the loader asks in order to know
 * where an indirect function lies comes earlier still.
 */
#define HUGE_PAGE_BYTES 0x200000UL
#define SYSTEM_MADVISE 28L /* of x86-64; the C library is not ready */
#define ADVICE_HUGE_PAGE 14L

extern char __bss_start[], _end[]; /* of the linker: variables that begin as zeros */

typedef void indirect(void);

static void nothing(void) {}

__attribute__((used, no_sanitize("address", "undefined"))) static indirect *resolve(void) {
  const unsigned long begin = ((unsigned long)__bss_start + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
  const unsigned long end = (unsigned long)_end / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
  long result = SYSTEM_MADVISE;
  if (begin < end) /* where it is refused the pages are small ones */
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(begin), "S"(end - begin), "d"(ADVICE_HUGE_PAGE)
                     : "rcx", "r11", "memory");
  return nothing;
}

void vtt_huge_pages(void);
void vtt_huge_pages(void) __attribute__((ifunc("resolve")));
indirect *volatile vtt_huge_pages_asked = vtt_huge_pages; /* whose address the loader must know */
