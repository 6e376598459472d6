"""What speaking costs, measured. This page is the whole plan.

    row.py              the one form of a row, and how several rounds become median, least and most
    tables.py           a row as a table: which figures, in which unit
    process.py          a fresh process of Python and what it took; a stopwatch
    memory.py           what this process and its device hold, and held at most
    random_weights.py   a module or a folder of any size, with random weights

    speak/sentence.py       a sentence: whole processes, then a stream and a whole in a warm one
    speak/chapter.py        a chapter: memory and speed as it grows
    speak/stages.py         from a published folder to sound, each stage in its own process,
    speak/stage_worker.py   which is this one
    decode/config.py        what one process measures of a language model
    decode/rounds.py        every target once a round, ratios to the baseline
    decode/worker.py        the process: builds the target, watches memory, times steps
    decode/target.py        the speech language model in a shape, on an engine
    decode/graphs.py        the same on onnxruntime, its graphs exported first
    decode/engine_model.py  graphs, and guided models, with the calls of a module
    decode/baseline.py      how the original runs its own
    decode/timing.py        seconds of a step after any length, of a prompt, of memory itself
    decode/chain.py         what follows the language model: decoder and vocoder
    decode/chapter.py       a chapter of random weights without sound
    flow.py                 a decoder with a flow in each of its forms
    flow_stream.py          a stream through it, from the first token and from states
    gpu.py                  the most important of all this within minutes, for a rented GPU

``mamtra bench speak``, ``decode``, ``flow`` and ``gpu`` (``mamtra.cli.bench``) fill in settings,
show the table and add the row to a file.
"""
