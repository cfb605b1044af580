#!/usr/bin/env bash
# label: optimised
# label: long
# The page's sources are sound, and the built page that is kept is theirs.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
need_web

cd "$SOURCE/web" || exit 1
npx --no-install tsc --noEmit -p . || fail "web/src does not compile"
node tests/unit.mjs >"$captured/unit" 2>&1 || { cat "$captured/unit"; fail "unit tests"; }

node build.mjs "$captured/dist"
for name in index.html app.js app.css icon.svg; do
  cmp "$captured/dist/$name" "dist/$name" || fail "web/dist/$name is not what web/src builds: run 'npm run build' in web/"
done
finish
