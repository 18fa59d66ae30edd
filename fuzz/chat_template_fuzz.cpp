#include "alambic/text/chat/chat_template.h"
#include "fuzz/fuzz.h"

namespace alambic {

std::vector<std::string> fuzz_seeds() {
  return {
      "{% for message in messages %}<|{{ message['role'] }}|>{{ message.content | trim }}{% "
      "generation %}{{ loop.index0 }}{% endgeneration %}{% endfor %}{% if add_generation_prompt "
      "%}<|assistant|>{% endif %}",
      "{%- set ns = namespace(n=0) -%}{%- macro m(a, b=2) -%}{{ a ~ b }}{%- endmacro -%}"
      "{% for m2 in messages[::-1] if m2.role == 'user' %}{% set ns.n = ns.n + 1 %}{{ m(ns.n, "
      "b=[1, "
      "2.5, {'k': none}]) }}{% else %}{{ raise_exception('none') }}{% endfor %}",
      "{{ tools | tojson(indent=2) if tools is defined and tools is not none }}{# c #}{% raw "
      "%}{{{% "
      "endraw %}{{ 'a,b'.split(',') | join('-') | upper }}{{ 7 // 2 ** 3 % 5 }}",
      "{% filter replace('a', 'b') %}{{ range(10) | list | length }}{% endfilter %}{% call(x) m() "
      "%}{% endcall %}{{ strftime_now('%Y') }}{% break %}",
      // Whatever computes with whole numbers; the driver puts the ends of 32 and 64 bits into it.
      "{{ range(9, 0, -2)[4:1:-3] | list }}{{ range(9)[::2][::3] | length }}{{ 3 in range(1, 9, 2) "
      "}}"
      "{{ [1, 2, 3][0:2:1] }}{{ 'häuser'[1:4:2] }}{{ 'ab'[1] }}{{ range(7)[3] }}",
      "{{ 7 + 2 - 3 * 4 // 5 % 6 }}{{ 2 ** 3 }}{{ 8 / 3 }}{{ -7 }}{{ 3 * 'a' }}{{ [1] * 2 }}"
      "{{ 7 | abs }}{{ 15 | round(-1) }}{{ 2.5 | round(2, 'floor') }}{{ 9 | filesizeformat }}"
      "{{ '12' | int(0, 16) }}{{ '12' | float }}{{ 3 is divisibleby(2) }}{{ [3, 4] | sum(start=5) "
      "}}",
      "{{ 'x'.center(5) }}{{ 'x' | center(5) }}{{ 'x'.ljust(4, 'é') }}{{ '-x'.zfill(6) }}"
      "{{ 'a\nb' | indent(2) }}{{ 'abab'.replace('a', 'b', 1) }}{{ 'a b c'.split(none, 1) }}"
      "{{ 'a b' | wordwrap(3) }}{{ 'the fox' | truncate(5, true, '', 1) }}{{ 'a\tb'.expandtabs(4) "
      "}}",
      "{{ 'aba'.find('b', 0, 2) }}{{ 'aba'.count('a', 1, 3) }}{{ [1, 2, 3] | batch(2, 0) | list }}"
      "{{ [1, 2, 3] | slice(2, 0) | list }}{{ [1] | tojson(indent=2) }}{{ 5 .bit_length() }}",
      "{{ '%5d|%-3x|%c|%.2d' % (1, 2, 65, 3) }}{{ '{:5d}|{:#x}|{:c}|{:,}'.format(1, 2, 65, 3) }}"
      "{{ '{0[1]}'.format([1, 2]) }}{{ {5: 1}[5] }}{{ 5 == 5.0 }}{{ [2, 1.5, 3] | sort }}",
  };
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  static const jinja::Value messages = jinja::parse_json(
      "f", R"([{"role": "user", "content": " hé "}, {"role": "assistant", "content": "b"}])");
  parse_or_refuse([&] {
    const ChatTemplate chat =
        ChatTemplate::parse("f", text_of(data, size), R"({"bos_token": "<s>"})");
    chat.render({.messages = messages, .tools = messages, .add_generation_prompt = true});
  });
  return 0;
}
