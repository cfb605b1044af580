# Completion of vectrail in bash. Written by tools/make-docs.py.
_vectrail() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" options="" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="help --help --version train resume cooccur info neighbors similarity analogy eval export import measure diagnose generate experiment compare explain replay serve report theory svd sweep tune align contrast"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    return
  fi
  case "${COMP_WORDS[1]}" in
  help)
    mapfile -t COMPREPLY < <(compgen -W "train resume cooccur info neighbors similarity analogy eval export import measure diagnose generate experiment compare explain replay serve report theory svd sweep tune align contrast" -- "$word")
    return ;;
  train) options="--corpus --counts --run --force --output -o --binary --json --tokens --vocab-size --tokenizer --fold-case --min-count --max-vocab --phrases --phrase-threshold --vocab --model --preset --loss --cbow-classic --dim --window --negative --noise-exponent --sample --epochs --lr --schedule --optimizer --batch --start --l2 --x-max --alpha --one-sided --memory --until --held-out --seed --block-tokens --blocks --sync --sync-every --replicas --deal-tables --kernel --threads --context --stride --hidden --layers --heads --positions --rotary-share --untied --parallel --exact-gelu --dropout --weight-decay --beta-2 --clip --warmup --accumulate --routes --snapshots --float32 --save-output --metrics --probes --checkpoint --watch --watch-every --pairs --ledger --ledger-spans --ledger-sources --cbow --sg --hs --symmetric --color --quiet -q --help -h" ;;
  resume) options="--threads --deal-tables --kernel --checkpoint --json --color --quiet -q --help -h" ;;
  cooccur) options="--output -o --window --weight --sample --one-sided --tokens --fold-case --min-count --max-vocab --vocab --memory --threads --json --color --quiet -q --help -h" ;;
  info) options="--metric --picture -o --kernels --json --color --quiet -q --help -h" ;;
  neighbors) options="--count -k --words-file --over-time --step --threads --json --color --quiet -q --help -h" ;;
  similarity) options="--over-time --step --json --color --quiet -q --help -h" ;;
  analogy) options="--count -k --step --json --color --quiet -q --help -h" ;;
  eval) options="--similarity --analogy --restrict --over-time --step --threads --json --color --quiet -q --help -h" ;;
  export) options="--output -o --format --step --over-time --words --json --color --quiet -q --help -h" ;;
  import) options="--run --append --force --steps --format --vocab --tensor --float16 --json --color --quiet -q --help -h" ;;
  measure) options="--word --only --pairs --cooccurrence --corpus --sample-words --sample-among --neighbor-words --among --clusters --threads --series --csv --json --color --quiet -q --help -h" ;;
  diagnose) options="--threads --json --color --quiet -q --help -h" ;;
  generate) options="--prompt --ids --length --temperature --top --seed --next --score --threads --json --color --quiet -q --help -h" ;;
  experiment) options="--run --exercise --stability --runs --settling --within --force --synonyms --analogies --dim --epochs --l2 --seed --threads --json --color --quiet -q --help -h" ;;
  compare) options="--count -k --words --sample --restrict --align --format --vocab --tensor --threads --json --color --quiet -q --help -h" ;;
  explain) options="--toward --centered --by --count -k --over-time --step --json --color --quiet -q --help -h" ;;
  replay) options="--ledger --by --ledger-spans --ledger-sources --watch --pairs --every --snapshots --from --until --corpus --kernel --threads --json --color --quiet -q --help -h" ;;
  serve) options="--port --threads --color --quiet -q --help -h" ;;
  report) options="--output -o --words --threads --json --color --quiet -q --help -h" ;;
  theory) options="--corpus --counts --modes --points --analogy --picture -o --draw --threads --curves --json --color --quiet -q --help -h" ;;
  svd) options="--counts --run --force --matrix --shift --dim --power --choose --picture --rank --window --sample --tokens --fold-case --min-count --max-vocab --seed --threads --json --color --quiet -q --help -h" ;;
  sweep) options="--run --force --dim --l2 --lr --seeds --model --patience --budget --least --output -o --picture --epochs --window --negative --sample --tokens --fold-case --min-count --max-vocab --seed --threads --json --color --quiet -q --help -h" ;;
  tune) options="--run --force --old-corpus --json --anchor --freeze --freeze-table --min-count --epochs --lr --schedule --l2 --held-out --seed --threads --kernel --snapshots --float32 --probes --watch --color --quiet -q --help -h" ;;
  align) options="--method --run --force --reward --moved -k --json --beta --kl --lr --clip --epochs --batch --samples --inner --epsilon --length --seed --snapshots --threads --color --quiet -q --help -h" ;;
  contrast) options="--run --force --json --temperature --positives-only --dropout --lr --clip --epochs --batch --seed --snapshots --probes --threads --color --quiet -q --help -h" ;;
  *) return ;;
  esac
  case "${COMP_WORDS[1]} $before" in
  "train --tokens") words="words space letters bpe" ;;
  "train --model") words="skipgram cbow glove nnlm transformer" ;;
  "train --preset") words="none exercise" ;;
  "train --loss") words="ns hs softmax squares quadratic" ;;
  "train --schedule") words="linear constant cosine" ;;
  "train --optimizer") words="sgd adagrad adamw" ;;
  "train --until") words="end converged" ;;
  "train --sync") words="exact periodic" ;;
  "train --positions") words="learned sinusoidal rotary" ;;
  "train --color") words="auto always never" ;;
  "resume --color") words="auto always never" ;;
  "cooccur --weight") words="distance linear flat" ;;
  "cooccur --tokens") words="words space" ;;
  "cooccur --color") words="auto always never" ;;
  "info --color") words="auto always never" ;;
  "neighbors --color") words="auto always never" ;;
  "similarity --color") words="auto always never" ;;
  "analogy --color") words="auto always never" ;;
  "eval --color") words="auto always never" ;;
  "export --format") words="auto w2v-text w2v-binary npy safetensors projector tensorboard" ;;
  "export --color") words="auto always never" ;;
  "import --format") words="auto w2v-text w2v-binary glove npy safetensors" ;;
  "import --color") words="auto always never" ;;
  "measure --color") words="auto always never" ;;
  "diagnose --color") words="auto always never" ;;
  "generate --color") words="auto always never" ;;
  "experiment --color") words="auto always never" ;;
  "compare --align") words="auto always never" ;;
  "compare --format") words="auto w2v-text w2v-binary glove npy safetensors" ;;
  "compare --color") words="auto always never" ;;
  "explain --by") words="source word role document" ;;
  "explain --color") words="auto always never" ;;
  "replay --by") words="source document" ;;
  "replay --color") words="auto always never" ;;
  "serve --color") words="auto always never" ;;
  "report --color") words="auto always never" ;;
  "theory --draw") words="directions scores sections spectrum" ;;
  "theory --color") words="auto always never" ;;
  "svd --matrix") words="quadratic pmi ppmi" ;;
  "svd --tokens") words="words space" ;;
  "svd --color") words="auto always never" ;;
  "sweep --model") words="skipgram spectral" ;;
  "sweep --tokens") words="words space" ;;
  "sweep --color") words="auto always never" ;;
  "tune --freeze-table") words="input output" ;;
  "tune --schedule") words="linear constant cosine" ;;
  "tune --color") words="auto always never" ;;
  "align --color") words="auto always never" ;;
  "contrast --color") words="auto always never" ;;
  esac
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [ "${word#-}" != "$word" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -F _vectrail vectrail
