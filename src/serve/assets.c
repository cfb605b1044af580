/* assets.c: the table of embedded files. Their bytes are made into C at build time (cmake/embed.cmake). */
#include "serve/assets.h"

#include <string.h>

extern const unsigned char vt_asset_index_html[], vt_asset_app_js[], vt_asset_app_css[], vt_asset_icon_svg[];
extern const size_t vt_asset_index_html_bytes, vt_asset_app_js_bytes, vt_asset_app_css_bytes, vt_asset_icon_svg_bytes;

const struct vt_asset vt_assets[] = {
    {"/", "text/html; charset=utf-8", vt_asset_index_html, &vt_asset_index_html_bytes},
    {"/app.js", "text/javascript; charset=utf-8", vt_asset_app_js, &vt_asset_app_js_bytes},
    {"/app.css", "text/css; charset=utf-8", vt_asset_app_css, &vt_asset_app_css_bytes},
    {"/icon.svg", "image/svg+xml", vt_asset_icon_svg, &vt_asset_icon_svg_bytes},
};
const size_t vt_asset_count = sizeof vt_assets / sizeof vt_assets[0];

const struct vt_asset *vt_asset_find(const char *path) {
  for (size_t k = 0; k < vt_asset_count; k++)
    if (strcmp(vt_assets[k].path, path) == 0) return &vt_assets[k];
  return NULL;
}
