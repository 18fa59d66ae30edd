#!/usr/bin/env python3
"""Golden renderings of small templates: tests/golden/templates/{snippets,spans}.json.

usage: tools/goldens/templates.py   (with the Python of tools/make-oracle)

Each snippet runs in the very environment that transformers compiles chat templates in. A snippet
that raises is recorded with the exception's class and message instead.
"""
import json
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template, _render_with_assistant_indices

CONTEXT = {
    "s": "Hello World", "u": "Grüße 你好 🚀", "e": "", "sp": "  pad\t\n", "n": 7, "z": 0, "neg": -3,
    "f": 2.5, "t": True, "no": None, "html": "<b>&'\"</b>", "multi": "one\ntwo\n\nthree",
    "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "mixed": [1, "x", None, True, 2.0, [1], {"k": "v"}],
    "d": {"b": 1, "a": 2, "C": 3}, "nest": {"x": {"y": [10, {"z": "deep"}]}, "items": "shadowed"},
    "rows": [{"role": "user", "n": 2, "tag": {"k": "x"}}, {"role": "bot", "n": 1, "tag": {"k": "y"}},
             {"role": "user", "n": 3}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}, {"v": 5, "c": []}],
    "messages": [{"role": "system", "content": "sys"}, {"role": "user", "content": "hi"},
                 {"role": "assistant", "content": "yo ü"}, {"role": "user", "content": "bye"}],
}

EXPRESSIONS = (r"""
1 + 2 * 3 - 4
7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 % -3, 7 / 2, 6 / 2
0 // -0.75, 0.0 // 3, -0.0 // 3, 0.5 // 2, 0.5 // -2, -0.5 // 2, 7.5 // 0.1
2 ** 3 ** 2
-2 ** 2
2 ** -1, 2.0 ** 3, 4 ** 0.5
7.5 // 2, -7.5 // 2, 7.5 % 2, -7.5 % 2
1.0, 1e3, 1e16, 1e15, 1e-4, 1e-5, 1.5e300, 0.1 + 0.2, 123456789.123456789, 1_000, 0x1F, 0b101, 0o17
1e100, 100000000000000000.0, -0.0, 3.0e0
true, True, none, None, false
[1, 'a', "it's", 'q"q', none, true, 1.5, ['n', ()], (1,), {'k': 1, 2: 'v'}]
'\n\t\\\'\x41\u00e9\U0001F600\q' 'joined' "too"
['\n', '\x00', '\x7f', 'é', '\u200b', '\U0001F600', "a'b\"c", '\\']
s ~ 1 ~ none ~ 1.0 ~ [1] ~ missing
s + '!' + u
[1] + [2, 3], (1,) + (2,)
'ab' * 3, 3 * 'ab', [0] * 3, 'a' * -1, (1, 2) * 2
1 == 1.0, 1 == true, '1' == 1, none == none, [1] == [1.0], (1,) == [1], {'a': 1} == {'a': 1.0}
1 < 2 < 3, 3 > 2 > 2, 1 < 3 > 2, 1 == 1 != 2
'a' < 'b', [1, 2] < [1, 3], 'Z' < 'a', (1,) < (1, 2)
'ell' in s, 'x' not in s, 1 in l, 5 not in l, 'a' in d, 'zz' in d, 2 in (1, 2), 3 in range(5), 'a' in ''
not true, not 0 and 1, 1 or 2, 0 or '', none and 1, 'x' and 'y', not missing
1 if t else 2, (1 if no), 'a' if no else 'b' if e else 'c'
missing, missing is defined, missing is undefined, s is defined, [missing], missing == other, missing ~ 'x'
missing or 'fallback', missing | default('d'), e | default('d'), e | default('d', true), no | default('d'), z | d(5, boolean=true)
l[0], l[-1], l[5] is defined, s[0], s[-1], u[0], u[7], u[-1]
s[1:4], s[:3], s[-3:], s[::-1], s[::2], u[2:8], l[1:], l[::-1], l[5:], l[-100:2], (1,2,3)[1:]
s[10:2:-2], l[:-1], s[100:], ''[::-1], range(10)[2:8:2], range(10)[::-1]
d.a, d['b'], d.missing is defined, nest.x.y[1].z, nest['x']['y'][0], nest.items is string, nest['items']
d.items(), d.keys(), d.values(), d.items() | list
d.get('a'), d.get('zz'), d.get('zz', 'dflt'), d.get(default=1) if false else 2
s.upper(), s.lower(), s.title(), s.swapcase(), 'hELLO wORLD'.capitalize(), "they're o'neil".title()
sp.strip(), sp.lstrip(), sp.rstrip(), 'xxaxx'.strip('x'), 'xyaxy'.lstrip('yx'), 'abc'.rstrip('c')
s.split(), s.split('o'), 'a,b,,c'.split(','), 'a b  c'.split(None, 1), 'a,b,c'.split(',', 1), ' a  b '.split(' ')
'a,b,c'.rsplit(',', 1), ' a b c '.rsplit(None, 1), 'abc'.split('abc'), ''.split(), ''.split(',')
'a\nb\r\nc\x0bd'.splitlines(), 'a\nb\n'.splitlines(true), ''.splitlines()
s.startswith('He'), s.startswith(('x', 'H')), s.endswith('ld'), s.startswith('lo', 3), s.endswith('lo', 0, 5)
s.find('o'), s.find('o', 5), s.rfind('o'), s.find('zz'), s.index('W'), u.find('你'), s.count('l'), 'aaa'.count('aa'), 'ab'.count('')
s.replace('o', '0'), s.replace('l', 'L', 2), 'ab'.replace('', '-'), 'aaa'.replace('a', 'b', 0)
', '.join(ls), ''.join(['x']), '-'.join('abc'), '-'.join(d)
'abc'.center(10, '*'), 'abc'.center(8), 'ab'.center(5, '-'), 'abc'.ljust(6, '.'), 'abc'.rjust(6), '42'.zfill(5), '-42'.zfill(5)
'a-b-c'.partition('-'), 'a-b-c'.rpartition('-'), 'abc'.partition('x'), 'abc'.rpartition('x')
'prefix-x'.removeprefix('prefix-'), 'x.txt'.removesuffix('.txt'), 'abc'.removeprefix('z')
'abc'.isalpha(), 'ab1'.isalnum(), '12'.isdigit(), 'a b'.isalpha(), ''.isalpha(), ' \t'.isspace(), 'ABC'.isupper(), 'Abc'.istitle(), 'abc'.isidentifier(), 'aé'.isascii()
'a\tb'.expandtabs(4), 'ß'.upper(), 'ﬁ'.upper(), 'ΑΣ'.lower(), 'ǆ'.title(), 'İ'.lower(), 'STRASSE'.casefold()
'%s and %d and %5.2f|%-5s|%05d|%x|%X|%o|%e|%g|%%' % ('a', 42, 3.14159, 'l', 42, 255, 255, 8, 12345.678, 0.0001)
'%s' % 'x', '%s' % [1, 2], '%r' % 'q', '%(a)s-%(b)d' % {'a': 1, 'b': 2}, '%5s|%.2s' % ('ab', 'abcdef'), '%+d % d' % (5, 5), '%c' % 'x', '%i' % 3.9
'{} {}'.format(1, 'a'), '{1} {0}'.format('a', 'b'), '{x}'.format(x=5), '{0[1]} {1.a}'.format([1, 2], {'a': 'A'}), '{{}}'.format(1)
'{:>8}|{:<8}|{:^8}|{:*^9}'.format('a', 'b', 'c', 'mid'), '{:08.3f}|{:+d}|{:,}|{:_}'.format(3.14159, 5, 1234567, 1234567)
'{:x} {:#x} {:b} {:o} {:e} {:g} {:%} {:.0%}'.format(255, 255, 5, 8, 12345.678, 1e-10, 0.25, 0.5), '{:5}|{:5}'.format(42, 'ab'), '{!r} {!s}'.format('a', 'b')
'{:.3}|{:.10}|{:10.3}|{}'.format(3.14159, 1.0, 2.5, 1e22), '{:05d}|{:<5d}|{:=+6d}'.format(-42, 42, 42)
'{0:{1}}|'.format('a', 5), '{a.missing}|'.format(a={}), '{:.2f}'.format(2), '{:d}'.format(true), '{}'.format(none), '{}'.format([1])
'{a}{b}'.format_map({'a': 1, 'b': 2}), '{:,}'.format(1234567.891), '{:,.2f}'.format(1234567.891)
s|upper, s|lower, 'foo bar-baz (qux) [x'|title, 'fOO bar'|capitalize, sp|trim, 'xxaxx'|trim('x')
html|escape ~ '|' ~ html|e ~ html|forceescape ~ html|striptags ~ '<p>a  <!-- c -->b</p>'|striptags
html|escape, html|e|e, 'a'|safe, html|forceescape, ('<'|e) + '<', '<' + ('>'|e), ('<'|safe) + '<' + s, ['<'|safe]
('<%s>'|safe) % '<', ('<{}>'|safe).format('<'), ('<'|safe) * 2, ('<'|safe)|upper, ('a<'|safe)[1:], ('a b'|safe).split(), ('<'|safe).replace('<', '>'), (','|safe).join(['<']), ('<'|safe) ~ '<', ('<'|safe)|string, ('<'|safe)|replace('<', '>'), ('<'|safe)|trim, ('<'|safe)|tojson, ('<'|safe) is escaped, ('<'|safe) == '<', ('a<'|safe)|list, ('a<'|safe)|title, ['<'|safe, '>']|join('&'), ('%s'|safe)|format('<'), ('a\nb'|safe)|indent
s|length, l|count, d|length, u|length, range(5)|length, e|length, missing|length
l|first, l|last, s|first, s|last, []|first is defined, d|first, range(3)|last
l|sort, l|sort(reverse=true), ls|sort, ls|sort(case_sensitive=true), rows|sort(attribute='n')|map(attribute='n')|list, rows|sort(attribute='role,n')|map(attribute='n')|list
l|sum, rows|sum(attribute='n'), l|sum(start=10), l|min, l|max, ls|min, ls|max, rows|max(attribute='n'), []|min is defined
l|join, l|join(', '), rows|join(',', attribute='role'), d|join('-'), 'abc'|join('.')
l|reverse|list, s|reverse, ls|unique|list, [1, 1.0, true, 'a', 'A']|unique|list, rows|unique(attribute='role')|map(attribute='n')|list
rows|map(attribute='role')|list, rows|map(attribute='tag.k')|list, rows|map(attribute='tag.k', default='none')|list, ls|map('upper')|list, l|map('string')|list, ['1','2']|map('int')|sum
rows|selectattr('role', 'equalto', 'user')|map(attribute='n')|list, rows|selectattr('tag')|list|length, rows|rejectattr('role', 'eq', 'user')|list, l|select('odd')|list, l|reject('gt', 1)|list, mixed|select|list, mixed|select('string')|list
rows|selectattr('tag', 'defined')|list|length, rows|selectattr('role', 'in', ['bot'])|map(attribute='n')|first
rows|groupby('role')|map(attribute='grouper')|list, rows|groupby('role')|map(attribute='list')|map('length')|list, (rows|groupby('n'))[0].grouper
d|dictsort, d|dictsort(true), d|dictsort(false, 'value'), d|dictsort(reverse=true), d|items|list, missing|items|list
[1,2,3,4,5]|batch(2)|list, [1,2,3,4,5]|batch(2, 0)|list, [1,2,3,4,5]|slice(2)|list, [1,2,3,4,5]|slice(3, 'x')|list
3.7|int, '42'|int, 'x'|int, 'x'|int(-1), '0x1f'|int(0, 16), '42.9'|int, none|int, true|int, ' 5 '|int, '1_000'|int
'3.5'|float, 'x'|float, 'x'|float(1.5), 3|float, 'inf'|float, '1e3'|float, none|float
2.5|round, 3.5|round, 2.675|round(2), 2.5|round(method='ceil'), 2.49|round(1, 'floor'), 7|round, 1234|round(-2), 1234.5|round(-2), -2.5|round
-5|abs, 2.5|abs, (-5)|abs, -n|abs
'abc'|center(9), s|replace('o', '0'), s|replace('l', 'L', 1), 5|replace('5', '6'), s|wordcount, 'a-b c_d'|wordcount
multi|indent, multi|indent(2, true), multi|indent(2, blank=true), multi|indent('>>'), multi|indent(width=1, first=true)
'The quick brown fox jumps'|truncate(10), 'The quick brown fox'|truncate(10, true), 'short'|truncate(10), 'The quick brown fox jumps'|truncate(9, false, '', 0)
'%s-%s'|format('a', 1), '%(x)s'|format(x=3), 'a b&c/d?é'|urlencode, {'a b': 1, 'c': 'é&'}|urlencode
1000|filesizeformat, 1|filesizeformat, 999|filesizeformat, 1234567|filesizeformat, 1234567|filesizeformat(true), 1024|filesizeformat(binary=true)
'The quick brown fox jumps over the lazy dog'|wordwrap(12), 'averyveryverylongword is here'|wordwrap(10), 'well-known state-of-the-art thing'|wordwrap(12), 'a  b   c'|wordwrap(3)
{'class': 'a', 'id': 'x<', 'none': none}|xmlattr, {'a': 1}|xmlattr(false)
mixed|tojson, d|tojson, u|tojson, html|tojson, '\n\t"\\/\x01'|tojson, [1.0, 1e20, 1e-7, true, none]|tojson
d|tojson(indent=2), mixed|tojson(indent=1), []|tojson(indent=2), {}|tojson(indent=2), {'a': []}|tojson(indent=4), d|tojson(sort_keys=true), d|tojson(separators=(',', ':')), u|tojson(ensure_ascii=true), d|tojson(indent=2, separators=(',', ' = '))
{1: 'a', none: 'b', true: 'c', 1.5: 'd'}|tojson, (1, 2)|tojson
{1: 'a', true: 'b', 1.0: 'c'}, {'a': 1, 'a': 2}
4 is odd, 4 is even, 9 is divisibleby 3, 9 is divisibleby(2), n is number, s is string, l is sequence, d is mapping, l is iterable, n is iterable, s is iterable
none is none, 0 is none, true is boolean, 1 is boolean, true is true, 1 is true, false is false, 1 is integer, true is integer, 1.0 is float, 1.0 is integer, true is number
'abc' is lower, 'ABC' is upper, 'Abc' is lower, 5 is eq 5, 5 is ne 4, 5 is gt 4, 5 is ge(5), 5 is lt 6, 5 is le 4, 'a' is in 'abc', 5 is not none, 5 is sameas 5, none is sameas none
'upper' is filter, 'nope' is filter, 'odd' is test, range is callable, s is callable, missing is callable, d is sequence, missing is sequence, missing is iterable, s is escaped
s is defined and s is string, not s is none, s is not defined or true
range(5)|list, range(2, 8, 3)|list, range(5, 0, -2)|list, range(3), range(1, 9, 2), range(0)|list
dict(a=1, b=2), dict([('x', 1)], y=2), dict({'q': 1}), namespace(a=1).a, namespace({'b': 2}).b, namespace(a=1)
cycler('a', 'b').next(), joiner()()
s|attr('upper') is callable, d|attr('a') is defined, d|attr('get') is callable
(1, 2, 3), (1,), (), 1,
{'a': {'b': {'c': [1, 2, {'d': 'e'}]}}}['a']['b'].c[2].d
l.index(1), l.count(3), l.copy(), (1, 2, 1).count(1), (5, 6).index(6)
1.5.is_integer() , 2.0.is_integer(), 5 .bit_length()
''.__class__, s.__class__, l.append, d.update, s.nope, s['upper'] is callable, l['0'] is defined
l.0, nest.x.y.0, u.1
'a' 'b' ~ 'c', 1 ~ 2, 'x' * 2 ~ 'y', 1 + 1 ~ 1 + 1
"a" if "b" is in "abc" else "z", ("a" in "abc") == true
'%.3f' % 2, '%10.3e|' % 12345.678, '%-10d|' % 5, '%+.1f' % 2.25, '%#x' % 255, '%.3d' % 5, '%5.1f%%' % 99.5
3.0 == 3, 0.1 + 0.7, 1/3, 2/3, 1e22, 1e21 + 1, 5e-324, 1.7976931348623157e308
s|upper|lower|title|replace('World', 'X')|list|join('-')
[[1, 2], [3]]|sum(start=[]), [[3, 1], [2]]|map('sort')|list, ['a', 'b']|map('upper')|join|lower
'a\\b', 'tab\there', "quo\"te", 'new\
line'
'é' < 'z', 'a' == 'a', ['é', 'a', 'Z']|sort, 'ÀÉ'|lower
none|string, true|string, 1.0|string, [1]|string, 'x'|string|length, none|list if false else 'ok'
'1.5'|float + 1, '5'|int * 2, (1.0)|int, 1e3|int
"1,2;3".split(";")[0].split(",")|map("int")|sum
"  x  "|trim|length, "\u00a0x\u2003"|trim, "x\u001c"|trim|length
not 1 in [1], not (1 in [1]), 1 not in [2], -1 in [-1], 2 - -1, +5, - -5
1 if 0 else 2 if 0 else 3, (0 or 1) and 2, 0 or 1 and 2
s.split(' ')[0][0:2]|upper ~ '!', (s ~ '!')|length, s|length + 1
x is defined and x.y is defined, missing is defined and missing.y
{'k': 'v'}.items()|first|last, {'k': 'v'}.keys()|list, dict(k='v').values()|first
l|map('abs')|map('string')|map('upper')|join('/'), [' a ']|map('trim')|list, ['a,b']|map('split', ',')|list if false else 'x'
"{:>{w}}".format('a', w=4), "{0}{0}".format('a'), "{:s}".format('q'), "{:10s}|".format('é'), "{:<05d}".format(3)
"%s %s" % ("a", none), "%s" % true, "%d" % true, "%s" % 1.0, "%5d|%-5d|" % (1, 2), "%(a)5.1f" % {"a": 1}
[1,2,3][1:2][0], 'abc'[1], 'abc'[-2:], 'abcdef'[4:1:-1], l[none:2]
""", r"""
1 + '1'
'1' + 1
'a' + none
[1] + (1,)
missing.x
missing['x']
missing.x.y
d.missing.x
missing + 1
1 + missing
'a' + missing
'a' ~ missing.y
missing()
s()
d.a()
none.x.y
none[0].x
l[9].x
1 / 0
1 // 0
1 % 0
1.0 / 0
1 < 'a'
none < 1
[1] < 1
1 in 5
1 in 'abc'
'x' in none
-'a'
-missing
s|nofilter
s is notest
s|map|list
l|map('upper', 1)|list
none|tojson|length + none
range(1)|tojson
missing|tojson
d.items()|tojson
l|map('upper')|tojson
{(1,2): 3}|tojson
s|int + missing
range(100001)
range(10**12)|list
range(1, 5, 0)
none|length
5|length
5|list
5|join
none|join
5|first
none|items|list
l|sort(attribute='x')|first
[1, 'a']|sort
mixed|max
{'a': 1, [1]: 2}
{{}: 1}
s.split('')
s.index('zz')
', '.join([1])
s.replace('a')
s.startswith(1)
'%d' % 'a'
'%s %s' % ('a',)
'%s' % (1, 2)
'%(a)s' % 5
'{} {}'.format(1)
'{x}'.format(1)
'{:d}'.format('a')
'{:s}'.format(1)
'{'.format(1)
'}'.format(1)
''.__class__.__mro__
s.__class__.__base__
l.append(1)
l.__len__()
d.pop('a')
d.update({'x': 1})
raise_exception('custom message')
raise_exception('x' ~ n)
namespace(_x=1)
'{0.__class__.__mro__}'.format(1)
s.upper(1)
s.nope()
d.get()
l.index(99)
s[1:2:0]
s['a':]
n[0:1]
no[1:]
missing[1:]
d[1:2]
cycler()
'a'|round
'a'|abs
missing|abs
missing|round
missing|int
s|batch
l|batch
l|truncate(2, end='....')
5|truncate
5|indent
none|indent
d|dictsort(by='x')
s|dictsort
5|dictsort
l|groupby
'a'|replace('b')
1 is divisibleby
1 is divisibleby(0)
'a' is gt 1
s|format(1)
loop
loop.index
"x"|center("a")
2 ** 0.5 ** 'a'
""")

TEMPLATES = [
    # white space
    "a\n{% if t %}\n  b\n{% endif %}\nc\n", "  {% if t %}x{% endif %}  \n y", "a {%- if t -%} b {%- endif -%} c",
    "a\n   {{- s }}\n  b {{ s -}}   \n c", "{% if t +%}\nx\n{%+ endif %}\n", "a\n    {%+ if t %}x{% endif %}",
    "{# c #}a{#- c -#} b {# multi\nline #}\nd", "  {# c #}\nx", "\n\n{% set x = 1 %}\n\n{{ x }}\n\n", "a\r\nb\rc\n{{ s }}\r\n",
    "{% raw %}{{ not }} {% nor %}{% endraw %}|", "  {% raw %}\n x {% endraw %}\n y", "{%- raw -%}  x  {%- endraw -%}  z", "{% raw -%}\n\n a{% endraw +%}\nb",
    "{{ '{{' }} {{ '}}' }} {{ {'a': {'b': 1}} }}", "{% if t %}{% endif %}\n\nx", "x{% set a = 1 %}  \ny", "\t{% for i in l %}\n\t{{ i }}\n\t{% endfor %}\n",
    "line\n", "line\n\n", "", "\n", "{{ s }}\n", "{{- s -}}\n\n", "a{{ '\n' }}b\n{% if t %}\n\n{% endif %}", "{ { x } } {% if t %}{ %{% endif %} # }",
    "a  {%- set x = 1 %}\n  b", "x\n  {%- if t %}\n  y\n  {%- endif %}\nz", "{{ 'a' -}} \n {{- 'b' }}", "  {{ s }}\n  {% set q=1 %}\n  {{ q }}",
    "a {#- x -#}\n b", "a {#+ x +#}\n b", "{# a #}{# b #}\n{# c #}\nd",
    # sets and scopes
    "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}", "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set (a, b) = [3, 4] %}{{ a ~ b }}", "{% set x %}a {{ s }} b{% endset %}[{{ x }}]", "{% set x | upper | replace('A', 'B') %}abc{% endset %}{{ x }}",
    "{% set ns = namespace(x=0, y='a') %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y }}", "{% set ns = namespace() %}{% set ns.a %}block{% endset %}{{ ns.a }}{{ ns.b is defined }}",
    "{% with a = 1, b = s %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% set q = 5 %}{% with q = 6 %}{% set q = 7 %}{{ q }}{% endwith %}{{ q }}", "{% with %}{% set z1 = 3 %}{{ z1 }}{% endwith %}",
    "{% set x = 1, 2 %}{{ x }}", "{% set s = s ~ '!' %}{{ s }}", "{% if false %}{% set w = 1 %}{% endif %}{{ w is defined }}", "{% set d2 = dict(d, z=9) %}{{ d2 }}{{ d }}",
    "{% set ns = namespace(l=[]) %}{% for i in l %}{% set ns.l = ns.l + [i * 2] %}{% endfor %}{{ ns.l }}", "{% for i in l %}{% set inner = i %}{% endfor %}{{ inner is defined }}",
    # if
    "{% if z %}a{% elif n > 5 %}b{% else %}c{% endif %}", "{% if not z and (n == 7 or missing) %}y{% endif %}", "{% if missing %}a{% else %}b{% endif %}{% if l %}c{% endif %}{% if '' %}d{% endif %}{% if {} %}e{% endif %}{% if 0.0 %}f{% endif %}",
    "{% if 'a' in d and d.a == 2 %}ok{% endif %}", "{% if t: %}colon{% endif %}",
    # for
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ i }};{% endfor %}",
    "{% for i in [] %}x{% else %}empty{% endfor %}", "{% for i in l if i > 1 %}{{ i }}/{{ loop.length }}/{{ loop.last }} {% else %}none{% endfor %}", "{% for i in l if i > 10 %}x{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for c in u %}[{{ c }}]{% endfor %}", "{% for i in missing %}x{% else %}e{% endfor %}",
    "{% for i in range(3) %}{% for j in range(2) %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }}|{% endfor %}", "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}",
    "{% for i in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i > 1) }}{% endfor %}", "{% for i in range(6) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% continue %}{% else %}E{% endfor %}", "{% for i in l %}{% break %}{% else %}E{% endfor %}", "{% for i in l %}{{ i }}{% break %}{% else %}E{% endfor %}",
    "{% for n in tree recursive %}{{ n.v }}{% if n.c %}({{ loop(n.c) }}){% endif %}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for i in l %}{% for j in l %}{% if j == i %}{% break %}{% endif %}{{ j }}{% endfor %};{% endfor %}", "{% for x in l|map('string') %}{{ x }}{{ loop.length }}{% endfor %}", "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}",
    "{% for i in l|sort %}{{ i }}{% endfor %}{% for x, y in [[1, 2], [3, 4]] %}{{ x * y }}{% endfor %}", "{% set ns = namespace(stop=false) %}{% for i in range(5) if not ns.stop %}{{ i }}{% if i == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}",
    "{% set ns = namespace(found=none) %}{% for m in messages[::-1] if m.role == 'user' and ns.found is none %}{% set ns.found = m.content %}{% endfor %}{{ ns.found }}",
    "{% for g in rows|groupby('role') %}{{ g.grouper }}:{% for r in g.list %}{{ r.n }}{% endfor %}{{ g[0] }} {% endfor %}", "{% for k, grp in rows|groupby('role') %}{{ k }}{{ grp|length }}{% endfor %}",
    "{% for i in l %}{{ loop }}{% endfor %}", "{% for i in range(2) %}{% set x = i %}{{ x }}{% endfor %}{% for i, j in d|dictsort %}{{ i }}{{ j }}{% endfor %}", "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}",
    # macros and calls
    "{% macro m(a, b='B', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(c=3, a=1) }}{{ m() }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m(x) %}{{ x }}{% if x > 0 %}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}body {{ s }}{% endcall %}", "{% macro m(l) %}{% for i in l %}{{ caller(i, loop.index) }}{% endfor %}{% endmacro %}{% call(x, i) m(ls) %}{{ i }}{{ x }},{% endcall %}",
    "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(5) }}", "{% macro m() %}{% set inner = 5 %}{{ inner }}{% endmacro %}{{ m() }}{{ inner is defined }}",
    "{% macro m(x) %}{{ x|upper }}{% endmacro %}{{ m('a') ~ m('b') }}{{ m('abc')|length }}{{ m.name }}{{ m.arguments }}{{ m }}", "{% macro a(x) %}{{ b(x) }}{% endmacro %}{% macro b(x) %}B{{ x }}{% endmacro %}{{ a(1) }}",
    "{% macro m(*a) %}{% endmacro %}", "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a, b) %}{{ b is defined }}{{ a }}{% endmacro %}{{ m(1) }}", "{% macro outer() %}{% macro inner() %}I{{ s }}{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}", "{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(1) }}", "{% call m() %}x{% endcall %}", "{% macro m(a) %}{{ caller }}{{ caller.name }}{{ kwargs }}{{ m }}{{ m.name }}{% endmacro %}{% call m(1) %}x{% endcall %}",
    "{% macro m(d, depth=0) %}{% for k, v in d.items() %}{{ '  ' * depth }}{{ k }}:{% if v is mapping %}\n{{ m(v, depth + 1) }}{% else %} {{ v }}\n{% endif %}{% endfor %}{% endmacro %}{{ m({'a': {'b': {'c': 1}}, 'd': 2}) }}",
    # filter blocks, blocks, print
    "{% filter upper %}a {{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}aXa{% endfilter %}", "{% block x %}in {{ s }}{% endblock %}!", "{% block a %}1{% block b %}2{% endblock b %}{% endblock a %}", "{% print s %}", "{% filter indent(2) %}a\nb{% endfilter %}",
    "{% for i in l %}{% block q scoped %}{{ i }}{% endblock %}{% endfor %}", "{% set v = 3 %}{% block q2 %}{{ v }}{% endblock %}",
    # joiner, cycler
    "{% set p = joiner(', ') %}{% for i in l %}{{ p() }}{{ i }}{% endfor %}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}",
    # generation
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% set q = 1 %}{% endgeneration %}{{ q is defined }}{% else %}{{ m.content }}{% endif %}\n{% endfor %}",
    # errors of the whole
    "{% if t %}", "{% endif %}", "{{ s", "{% for i in l %}{% endif %}", "{% set 1 = 2 %}", "{% unknown %}", "{{ 1 + }}", "{{ a b }}", "{{ }}", "{% raw %}x", "{# x", "{{ 'abc }}", "{{ (1 }}", "{{ [1, 2 }}", "{{ f(a=1, 2) }}",
    "{% break %}", "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% for i in l %}{% set i.x = 1 %}{% endfor %}", "{% set ns.x = 1 %}", "{% set d.x = 1 %}", "{% set a, b = 1 %}", "{% set a, b = [1] %}", "{% set a, b = [1, 2, 3] %}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% set ns = namespace(a=1) %}{{ ns.b.c }}", "{% for a, b in l %}{% endfor %}", "{% for i in 5 %}{% endfor %}", "{% for i in none %}{% endfor %}", "{{ '\\x4' }}", "{{ s ! }}", "{{ 1 is 2 is 3 }}",
    "line one\nline two\n{{ missing.x }}\n", "a\n{% if t %}\n{{ 1 / 0 }}{% endif %}",
]


def run(source):
    try:
        return {"text": _compile_jinja_template(source).render(**CONTEXT)}
    except Exception as error:  # whatever Jinja or Python raises is the golden
        return {"error": type(error).__name__, "message": str(error)}


def main():
    good, bad = (part.strip("\n") for part in EXPRESSIONS)
    sources = []
    pending = ""
    for line in good.split("\n"):
        pending += line
        if line.endswith("\\") and not line.endswith("\\\\"):
            pending += "\n"
            continue
        sources.append("{{ (" + pending + ") }}" if "," in pending else "{{ " + pending + " }}")
        pending = ""
    sources += ["{{ " + line + " }}" for line in bad.split("\n")]
    sources += TEMPLATES
    snippets = [{"source": source, **run(source)} for source in sources]
    spans = []
    for source in TEMPLATES:
        if "generation" in source:
            text, indices = _render_with_assistant_indices(
                compiled_template=_compile_jinja_template(source), tools=None, documents=None,
                add_generation_prompt=False, **CONTEXT)
            spans.append({"source": source, "generated": [text[a:b] for a, b in indices],
                          "begins": [len(text[:a].encode()) for a, _ in indices]})
    folder = pathlib.Path(__file__).parents[2] / "tests/golden/templates"
    folder.mkdir(exist_ok=True)
    with open(folder / "snippets.json", "w") as out:
        json.dump({"context": CONTEXT, "snippets": snippets, "spans": spans}, out, ensure_ascii=True, indent=0)
        out.write("\n")
    errors = sum("error" in snippet for snippet in snippets)
    print(f"{len(snippets)} snippets, {errors} of them raise")


if __name__ == "__main__":
    main()
