#!/usr/bin/env python3
"""names.py ROOT - what the documents say must be so:
  - every `name()` in backticks is defined in src/ or include/, every `PL_NAME` or `PC_NAME` is there, too
  - every `path/with/slashes` in backticks that begins with a folder of the tree exists
  - every relative link, picture and #heading of a *.md file resolves
  - every rule in the table of docs/rfc/sctp.md names a test: its words up to a comma stand in the name of one of that file
  - the README's program is the file it names, letter by letter
Prints what is wrong and exits 1."""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
SKIP = {'build', 'node_modules', '.git', 'out'}
FOLDERS = ('src/', 'include/', 'tests/', 'docs/', 'sim/', 'fuzz/', 'bench/', 'tools/', 'examples/', 'web/', 'cmake/')

# Words before a parenthesis that are none of ours.
FOREIGN = {'main', 'malloc', 'free', 'assert', 'abort', 'toJSON'}

FENCE = re.compile(r'^(```|~~~).*?^\1', re.M | re.S)
CODE = re.compile(r'`([^`\n]+)`')
LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)')
EXAMPLE = re.compile(r'<!-- example: (\S+) -->\n```c\n(.*?)```', re.S)


def files(pattern, *folders):
    for folder in folders or ('.',):
        for path in (ROOT / folder).rglob(pattern):
            if not SKIP & set(path.relative_to(ROOT).parts):
                yield path


def without_comments(text):
    return re.sub(r'/\*.*?\*/|//[^\n]*', ' ', text, flags=re.S)


def names_of_code():
    """Functions that src/ and include/ define or declare, the names of tests, and identifiers in capitals."""
    functions, constants = set(), set()
    for folder in ('src', 'include', 'tests'):
        for path in files('*.[ch]', folder):
            text = without_comments(path.read_text(errors='replace'))
            functions |= set(re.findall(r'^PL_TEST\((\w+)', text, re.M))
            if folder != 'tests':
                functions |= set(re.findall(r'^(?:[A-Za-z_][\w\s*]*?[\s*])?(\w+)\(', text, re.M))
                constants |= set(re.findall(r'\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b', text))
    return functions, constants


def slug(heading):
    text = re.sub(r'[`*_]|\[([^\]]*)\]\([^)]*\)', lambda m: m.group(1) or '', heading.strip().lower())
    return re.sub(r'[^\w\- ]', '', text).replace(' ', '-')


def headings(path):
    return {slug(h) for h in re.findall(r'^#+\s+(.*)$', FENCE.sub('', path.read_text()), re.M)}


def check_links(path, text):
    for target in LINK.findall(text):
        if re.match(r'[a-z]+:', target):
            continue
        file, _, anchor = target.partition('#')
        there = (path.parent / file).resolve() if file else path
        if not there.exists():
            yield f'there is no {target}'
        elif anchor and there.suffix == '.md' and anchor not in headings(there):
            yield f'there is no heading #{anchor} in {file or path.name}'


def check_names(text, functions, constants):
    for code in CODE.findall(text):
        call = re.fullmatch(r'(?:[\w.]+ )?(\w+)\(\)', code)
        if call and call.group(1) not in functions | FOREIGN:
            yield f'there is no function {call.group(1)}()'
        if re.fullmatch(r'(PL|PC|PEER|CALL)_[A-Z0-9_]+', code) and code not in constants:
            yield f'there is no {code}'
        if code.startswith(FOLDERS) and not re.search(r'[<>*\s$]', code) and not (ROOT / code).exists():
            yield f'there is no file {code}'


RULE = re.compile(r'^\| [^|]+ \| ([^|]+) \| ([a-z_]+) \|$', re.M)


def check_rules():
    path = ROOT / 'docs/rfc/sctp.md'
    n = 0
    for rule, file in RULE.findall(path.read_text().split('## Rules and their tests')[1]):
        test = ROOT / f'tests/sctp/{file}_test.c'
        if file == 'file':
            continue
        n += 1
        words = re.sub(r'[^a-z0-9]+', '_', rule.split(',')[0].lower()).strip('_')
        if not test.exists():
            yield f'{path.relative_to(ROOT)}: there is no {test.relative_to(ROOT)}'
        elif not any(words in name.lower() for name in re.findall(r'PL_TEST\((\w+)\)', test.read_text())):
            yield f'{path.relative_to(ROOT)}: {test.name} has no test of "{rule}"'
    if n < 100:
        yield f'{path.relative_to(ROOT)}: only {n} rules'


def check_examples(text):
    for name, program in EXAMPLE.findall(text):
        if (ROOT / name).read_text() != program:
            yield f'the program differs from {name}'


def main():
    functions, constants = names_of_code()
    wrong = n_names = 0
    for path in sorted(files('*.md')):
        if path.is_relative_to(ROOT / 'tests/data'):
            continue
        text = path.read_text()
        prose = FENCE.sub('', text)
        n_names += len(CODE.findall(prose))
        found = [*check_links(path, prose), *check_examples(text)]
        if path != ROOT / 'docs/style.md':  # its examples are of any project
            found += check_names(prose, functions, constants)
        for what in found:
            print(f'{path.relative_to(ROOT)}: {what}')
            wrong += 1
    for what in check_rules():
        print(what)
        wrong += 1
    if not EXAMPLE.search((ROOT / 'README.md').read_text()):
        print('README.md: there is no program')
        wrong += 1
    print(f'docs: {n_names} names in backticks, {len(functions)} functions known, {wrong} wrong')
    return 1 if wrong or n_names < 100 or len(functions) < 500 else 0


if __name__ == '__main__':
    sys.exit(main())
