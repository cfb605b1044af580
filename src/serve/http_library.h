/* http_library.h: what is used of libmicrohttpd, which is loaded when a server begins (base/late.h); it brings nine
 * other libraries along. */
#ifndef VECTRAIL_SERVE_HTTP_LIBRARY_H
#define VECTRAIL_SERVE_HTTP_LIBRARY_H

#include <microhttpd.h>

#include "base/late.h"

#define VT_HTTP_FUNCTIONS(X)                                                                                           \
  X(MHD_start_daemon)                                                                                                  \
  X(MHD_stop_daemon)                                                                                                   \
  X(MHD_suspend_connection)                                                                                            \
  X(MHD_resume_connection)                                                                                             \
  X(MHD_get_connection_info)                                                                                           \
  X(MHD_set_connection_option)                                                                                         \
  X(MHD_lookup_connection_value)                                                                                       \
  X(MHD_create_response_from_buffer)                                                                                   \
  X(MHD_create_response_from_buffer_with_free_callback)                                                                \
  X(MHD_create_response_from_callback)                                                                                 \
  X(MHD_add_response_header)                                                                                           \
  X(MHD_queue_response)                                                                                                \
  X(MHD_destroy_response)

struct vt_http_library {
  VT_HTTP_FUNCTIONS(VT_LATE_MEMBER)
};
extern struct vt_http_library vt_http;

/* Makes vt_http ready. Errors: VT_ERROR_UNSUPPORTED. */
enum vt_status vt_http_open(struct vt_error *error);

#endif
