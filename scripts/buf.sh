#!/bin/sh
# Runs buf on proto/ from its npm package: `scripts/buf.sh lint`, `scripts/buf.sh breaking --against …`.
set -eu
cd "$(dirname "$0")/../proto"
exec npx --yes --package=@bufbuild/buf@1.75.0 -- buf "$@"
