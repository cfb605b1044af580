/* http_library.c: loading libmicrohttpd. */
#include "serve/http_library.h"

struct vt_http_library vt_http;

static const char *const names[] = {VT_HTTP_FUNCTIONS(VT_LATE_NAME)};

static struct vt_late_library library =
    VT_LATE_LIBRARY(VECTRAIL_MICROHTTPD, "install libmicrohttpd (Debian: libmicrohttpd12)", names, &vt_http);

enum vt_status vt_http_open(struct vt_error *error) { return vt_late_load(&library, error); }
