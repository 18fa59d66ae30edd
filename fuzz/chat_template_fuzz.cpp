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
