/* version.c: what the build system knows, made askable at run time. */
#include "vectrail/version.h"

const char *vt_version(void) { return VECTRAIL_VERSION; }
const char *vt_version_build(void) { return VECTRAIL_BUILD; }
