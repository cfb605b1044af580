/* http_library.c: loading libmicrohttpd. */
#include "serve/http_library.h"

#include "base/late.h"

struct vt_http_library vt_http;

static const struct vt_late_function functions[] = {
#define FUNCTION(name) {#name, &vt_http.name},
    VT_HTTP_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static struct vt_late_library library = {.file = VECTRAIL_MICROHTTPD,
                                         .help = "install libmicrohttpd (Debian: libmicrohttpd12)",
                                         .functions = functions,
                                         .function_count = sizeof functions / sizeof functions[0],
                                         .mutex = PTHREAD_MUTEX_INITIALIZER};

enum vt_status vt_http_open(struct vt_error *error) { return vt_late_load(&library, error); }
