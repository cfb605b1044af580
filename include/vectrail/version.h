/* vectrail/version.h: which vectrail this is. */
#ifndef VECTRAIL_VERSION_H
#define VECTRAIL_VERSION_H

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "1.2.3", of the library that runs (not of the header that was compiled against). */
VT_API const char *vt_version(void);
/* How it was built: compiler and kind of build ("gcc 12.2.0, Release"). */
VT_API const char *vt_version_build(void);

#ifdef __cplusplus
}
#endif

#endif
