"""The command line: one file per verb, thin: parse, call the API, print.

Results go to stdout, words for people to stderr; `--json` prints one document. Start with
`main.py`, which finds a verb when it is called and turns errors into sentences and exit codes; then
`score.py`, a short verb; then `common.py`, what verbs share. No verb computes anything: what it
prints comes from one function of the API. To add a verb, write its file and its row in `main.py`.
"""
