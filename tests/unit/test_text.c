/* Text of replies: what is not UTF-8 becomes U+FFFD, and all of it a JSON string that a page may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "serve/text.h"

#define BAD "\xef\xbf\xbd"

static void strings_are_json_and_utf8(void **state) {
  (void)state;
  static const struct {
    const char *from, *to;
  } cases[] = {
      {"", "\"\""},
      {"a b", "\"a b\""},
      {"say \"\\\"", "\"say \\\"\\\\\\\"\""},
      {"a\tb\x7f", "\"a\\u0009b\\u007f\""},
      {"</script>", "\"\\u003c/script>\""},
      {"tiếng Việt", "\"tiếng Việt\""},
      {"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",
       "\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\""},
      {"\x80", "\"" BAD "\""},         /* no beginning */
      {"\xc0\xaf", "\"" BAD BAD "\""}, /* overlong forms */
      {"\xe0\x9f\xbf", "\"" BAD BAD BAD "\""},
      {"\xf0\x8f\xbf\xbf", "\"" BAD BAD BAD BAD "\""},
      {"\xed\xa0\x80", "\"" BAD BAD BAD "\""},         /* a surrogate */
      {"\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""}, /* beyond the last character */
      {"\xf5\x80\x80\x80", "\"" BAD BAD BAD BAD "\""},
      {"a\xe2\x82", "\"a" BAD BAD "\""}, /* cut off */
      {"\xe1\xbaz", "\"" BAD BAD "z\""},
      {"\xf0\x9f\x98", "\"" BAD BAD BAD "\""},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    struct vt_text text = {0};
    vt_text_string(&text, cases[k].from);
    assert_false(text.failed);
    assert_int_equal(text.bytes, strlen(cases[k].to));
    assert_memory_equal(text.data, cases[k].to, text.bytes);
    vt_text_release(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(strings_are_json_and_utf8)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
