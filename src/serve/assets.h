/* assets.h: the page, as it was built from web/ (web/dist). */
#ifndef VECTRAIL_SERVE_ASSETS_H
#define VECTRAIL_SERVE_ASSETS_H

#include <stddef.h>

struct vt_asset {
  const char *path; /* as it is asked for; "/" is the page */
  const char *type;
  const unsigned char *data;
  const size_t *bytes;
};

extern const struct vt_asset vt_assets[];
extern const size_t vt_asset_count;
const struct vt_asset *vt_asset_find(const char *path); /* NULL where there is none */

#endif
