/*
 * programs.c: the tests in unit/ and numeric/ as one program, so that a change of the library is linked in once and not
 * sixty times. usage: vectrail_tests NAME, as unit_store; without a name it prints them all.
 *
 * Each test_*.c is written with a main of its own; the build renames that after its folder and file, and lists the
 * names.
 */
#include <stdio.h>
#include <string.h>

#define PROGRAM(name) int name(void);
#include "programs.list"
#undef PROGRAM

static const struct {
  const char *name;
  int (*run)(void);
} programs[] = {
#define PROGRAM(name) {#name, name},
#include "programs.list"
#undef PROGRAM
};

int main(int argc, char **argv) {
  for (size_t k = 0; k < sizeof programs / sizeof programs[0]; k++) {
    if (argc < 2)
      puts(programs[k].name);
    else if (strcmp(argv[1], programs[k].name) == 0)
      return programs[k].run();
  }
  if (argc < 2) return 0;
  fprintf(stderr, "vectrail_tests: there is no test '%s'\n", argv[1]);
  return 2;
}
