#!/bin/sh
# The table of voices and the picture over length of docs/reproduce.md, with their rows.
#
#   sh benchmarks/speech_tables.sh MODELS SOUNDS WHISPER REFERENCE OUT
#
# MODELS     folder with nano, nano-teacher and whatever else mamtra nano model wrote beside them
# SOUNDS     folder that hibari and Kokoro record the sets into (once; Kokoro lies at MAMTRA_KOKORO)
# WHISPER    folders of recognisers' weights, as mamtra fetch Systran/faster-whisper-tiny.en makes
#            them; several with blanks between, the one whose figures come first before the others
# REFERENCE  a recording of hibari's voice that is in no set
# OUT        everything that was said and judged; what is there is not done again
#
# ROWS=FILE and PICTURES=FOLDER write elsewhere than into this repository, WORKERS=N shares the work
# out, SKIP_RECORDING=1 takes the recordings as they are.
set -eu
models=$1 sounds=$2 whisper=$3 reference=$4 out=$5
rows=${ROWS:-benchmarks/results/paper-speech.jsonl}
pictures=${PICTURES:-docs/pictures}
here() { for name in "$@"; do if [ -d "$models/$name" ]; then echo "$models/$name"; fi; done; }
students="nano nano-1-3 nano-1-5 nano-1-11 nano-removed-6"
# shellcheck disable=SC2046,SC2086  # names of models hold no blanks
set -- nano-teacher $students
all=$(here "$@")
common="--profile spoken --workers ${WORKERS:-1}"
for folder in $whisper; do common="$common --judge whisper:$folder"; done
voices="--quality distillmos --similarity resemblyzer --reference $reference"

for part in "everyday 200" "unpredictable 60"; do
    set -- $part
    if [ -z "${SKIP_RECORDING:-}" ]; then
        mamtra corpus record --set "$1" --limit "$2" --voice heart -o "$sounds/$1/hibari"
        mamtra corpus record --set "$1" --limit "$2" --voice af_heart -o "$sounds/$1/kokoro"
    fi
    further=
    if [ -d "$models/nano-1-5" ]; then further=nano-1-5; fi
    # after the first time everything is there: only what is compared with changes
    for baseline in nano-teacher $further "hibari --page"; do
        mamtra evaluate seed-tts $all --set "$1" --limit "$2" --baseline $baseline \
            --wavs "$sounds/$1/hibari" --wavs "$sounds/$1/kokoro" $common $voices \
            -o "$out/$1" --row "$rows"
        cp "$out/$1/scores.json" "$out/$1-over-${baseline% --page}.json"
    done
done
mamtra evaluate table "$out/everyday-over-hibari.json" "$out/unpredictable-over-hibari.json" \
    "$out/everyday-over-nano-teacher.json" "$out/unpredictable-over-nano-teacher.json" \
    -o "$out/table.md"

mamtra evaluate seed-tts $all --set length --one-piece --baseline nano-teacher $common \
    -o "$out/length" --row "$rows"
mamtra evaluate lengths "$out/length/scores.json" -o "$pictures/lengths.png"
