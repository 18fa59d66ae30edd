// Templates from strangers: each is refused within a second, under the sanitizers too.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/text/jinja/template.h"

namespace alambic::hostile_test {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// Of this process, so that a busy machine does not fail the test.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// A sanitizer makes the same work several times slower: its build shows memory errors, not speed.
#ifdef __SANITIZE_ADDRESS__
constexpr double kAllowedSeconds = 8.0;
#else
constexpr double kAllowedSeconds = 1.0;
#endif

struct Hostile {
  std::string what;
  std::string source;
  std::string says;  // part of the refusal
};

std::vector<Hostile> hostile_templates() {
  const std::string doubling = "{% set ns = namespace(s='x') %}{% for i in range(99999) %}";
  return {
      {"a range without end", "{% for i in range(10**12) %}{% endfor %}", "Range too big"},
      {"loops in loops", repeated("{% for i in range(99999) %}", 5) + repeated("{% endfor %}", 5),
       "took more than"},
      {"a text that doubles", doubling + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "MB of text"},
      {"a text that doubles by +", doubling + "{% set ns.s = ns.s + ns.s %}{% endfor %}", "MB of"},
      {"a text that doubles by replace",
       doubling + "{% set ns.s = ns.s|replace('x', 'xx') %}{% endfor %}", "more than"},
      {"a text that doubles by join", doubling + "{% set ns.s = [ns.s, ns.s]|join %}{% endfor %}",
       "MB of text"},
      {"a text that doubles by format",
       doubling + "{% set ns.s = '%s%s' % (ns.s, ns.s) %}{% endfor %}", "MB of text"},
      {"a text that doubles by braces",
       doubling + "{% set ns.s = '{0}{0}'.format(ns.s) %}{% endfor %}", "MB of text"},
      {"a list that doubles",
       "{% set ns = namespace(l=[1]) %}{% for i in range(999) %}{% set ns.l = ns.l + ns.l %}"
       "{% endfor %}",
       "took more than"},
      {"a list of itself, many times",
       "{% set ns = namespace(l=[1]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}"
       "{% endfor %}{{ ns.l|tojson }}",
       "more than"},
      {"a list of itself, compared",
       "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}"
       "{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}"
       "{{ ns.a == ns.b }}",
       "more than"},
      {"a list of itself, hashed",
       "{% set ns = namespace(a=(1,)) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}"
       "{% endfor %}{{ {ns.a: 1} }}",
       "more than"},
      {"a list within a list within…",
       "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}"
       "{% endfor %}{{ ns.l }}",
       "nest deeper"},
      {"a namespace in itself, printed", "{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}",
       "deep"},
      {"generators in generators",
       "{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}"
       "{% set ns.l = [ns.l]|map('list') %}{% endfor %}",
       "nest deeper"},
      {"a macro that calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deep"},
      {"two macros that call each other",
       "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{{ a() }}{% endmacro %}"
       "{{ a() }}",
       "deep"},
      {"a loop that calls itself", "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
       "deep"},
      {"a tree of macros",
       "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
       "{{ m(40) }}",
       "took more than"},
      {"parentheses", "{{ " + repeated("(", 30000) + repeated(")", 30000) + " }}", "deep"},
      {"brackets", "{{ " + repeated("[", 30000) + repeated("]", 30000) + " }}", "deep"},
      {"minus signs", "{{ " + repeated("-", 30000) + "1 }}", "deep"},
      {"nots", "{{ " + repeated("not ", 30000) + "1 }}", "deep"},
      {"a long sum", "{{ 1" + repeated(" + 1", 30000) + " }}", "deep"},
      {"a long chain of filters", "{{ 1" + repeated("|string", 30000) + " }}", "deep"},
      {"a long path", "{{ a" + repeated(".a", 30000) + " }}", "deep"},
      {"ifs in ifs", repeated("{% if 1 %}", 30000) + repeated("{% endif %}", 30000), "deep"},
      {"conditions", "{{ " + repeated("1 if 1 else ", 30000) + "1 }}", "deep"},
      {"a huge repeat", "{{ 'x' * 10**12 }}", "MB of text"},
      {"a huge repeat of a list", "{{ [0] * 10**12 }}", "took more than"},
      {"a repeat that overflows", "{{ 'xxxx' * 9223372036854775807 }}", "MB of text"},
      {"a huge number", "{{ 10**100 }}", "64 bits"},
      {"center", "{{ 'x'.center(10**9) }}", "MB of text"},
      {"the filter center", "{{ 'x'|center(10**9) }}", "MB of text"},
      {"ljust", "{{ 'x'.ljust(10**12) }}", "MB of text"},
      {"zfill", "{{ 'x'.zfill(10**12) }}", "MB of text"},
      {"a width of %", "{{ '%300000000d' % 1 }}", "MB of text"},
      {"a given width of %", "{{ '%*d' % (-9223372036854775807, 1) }}", "MB of text"},
      {"a width of format", "{{ '{:300000000}'.format('x') }}", "MB of text"},
      {"a precision of format", "{{ '{:.300000000f}'.format(1.0) }}", "precision"},
      {"a precision of %", "{{ '%.300000000f' % 1 }}", "precision"},
      {"a zero precision of %", "{{ '%.300000000d' % 1 }}", "MB of text"},
      {"an indent of tojson", "{{ [1]|tojson(indent=10**12) }}", "MB of text"},
      {"a deep indent of tojson", "{{ [[[[[1]]]]]|tojson(indent=3000000) }}", "MB of text"},
      {"indent", "{{ 'a'|indent(10**12) }}", "MB of text"},
      {"batch", "{{ [1]|batch(10**12, 0)|list }}", "took more than"},
      {"slice", "{{ [1]|slice(10**12)|list }}", "took more than"},
      {"expandtabs", "{{ '\\t\\t'.expandtabs(10**12) }}", "MB of text"},
      {"concatenations of one text", "{% set s = 'x' * 3000000 %}{{ s" + repeated("~s", 90) + " }}",
       "MB of text"},
      {"output", "{% set s = 'x' * 300000 %}{% for i in range(9999) %}{{ s }}{% endfor %}",
       "MB of text"},
      {"slow work on much text",
       "{% set s = 'é' * 300000 %}{% for i in range(9999) %}{% set t = s.upper() %}"
       "{% endfor %}",
       "took more than"},
      {"an escape", "{{ ''.__class__.__mro__ }}", "SecurityError"},
      {"an escape by item", "{{ ''['__class__']['__mro__'] }}", "SecurityError"},
      {"an escape by attr", "{{ (''|attr('__class__')).x }}", "SecurityError"},
      {"an escape by map", "{{ ['']|map(attribute='__class__.__mro__')|list }}", "SecurityError"},
      {"an escape by format", "{{ '{0.__class__.__mro__}'.format('') }}", "SecurityError"},
      {"an escape of a macro", "{% macro m() %}{% endmacro %}{{ m.__globals__.os }}",
       "no attribute"},
      {"changing a list", "{{ [].append(1) }}", "SecurityError"},
      {"another file", "{% include '/etc/passwd' %}", "no loader"},
      {"bytes that are no text", "\xff\xfe{{ 1 }}", "UTF-8"},
      {"a range of 2^64 - 1", "{{ range(-9223372036854775808, 9223372036854775807)|list }}",
       "Range too big"},
      {"a step of a range, again and again",
       "{{ range(9223372036854775807, -9223372036854775808, -9223372036854775808)"
       "[::9223372036854775807][::9223372036854775807]|list }}",
       "128 bits"},
      {"a repeat of a list that overflows", "{{ [0, 0] * 9223372036854775807 }}", "took more than"},
      {"a list as long as can be", "{{ [0] * 9223372036854775807 }}", "took more than"},
      {"center without end", "{{ 'x'.center(9223372036854775807, 'é') }}", "MB of text"},
      {"ljust without end", "{{ 'x'.ljust(9223372036854775807, 'é') }}", "MB of text"},
      {"zfill without end", "{{ '-x'.zfill(9223372036854775807) }}", "MB of text"},
      {"batch without end", "{{ [1]|batch(9223372036854775807, 0)|list }}", "took more than"},
      {"slice without end", "{{ [1]|slice(9223372036854775807)|list }}", "took more than"},
      {"a surrogate", "{{ '%c' % 0xD800 }}", "surrogate"},
      {"strftime", "{{ strftime_now('%c' * 10000) }}", "4096"},
  };
}

// Prevents: a downloaded model that hangs the program, fills the memory, overflows the stack, or
// reads what is not its own.
TEST(ChatTemplateHostile, EachIsRefusedWithinASecond) {
  for (const Hostile& hostile : hostile_templates()) {
    const double start = cpu_seconds();
    try {
      const auto rendered = jinja::Template::parse("hostile", hostile.source).render({});
      ADD_FAILURE() << hostile.what << ": rendered " << rendered.text.substr(0, 80);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << hostile.what;
      const std::string message = error.what();
      const bool said = message.find(hostile.says) != message.npos ||
                        message.find("of processor time") != message.npos;
      EXPECT_TRUE(said) << hostile.what << ": " << message;
      EXPECT_EQ(message.find("hostile:"), 0U) << message;
      EXPECT_LT(message.size(), 400U) << hostile.what;
    }
    const double took = cpu_seconds() - start;
    if (std::getenv("ALAMBIC_TIMES") != nullptr) fmt::print("{:.3f} {}\n", took, hostile.what);
    EXPECT_LT(took, kAllowedSeconds) << hostile.what;
  }
}

// Prevents: values that hold each other and are never freed (the leak check of the sanitizers).
TEST(ChatTemplateHostile, CirclesAreTakenApart) {
  const std::string source =
      "{% set ns = namespace() %}{% set ns.me = ns %}{% macro m() %}{{ m }}{% endmacro %}"
      "{% set ns.m = m %}{% for i in [1, 2] %}{% set ns.loop = loop %}{% endfor %}ok";
  EXPECT_EQ(jinja::Template::parse("circle", source).render({}).text, "ok");
}

// Prevents: a cut-off template that reads past its end.
TEST(ChatTemplateHostile, EveryPrefixOfATemplateIsReadOrRefused) {
  const std::string source =
      "{%- macro m(a, b='x') -%}{{ a[1:2] ~ \"q\\n\" }}{%- endmacro -%}{# c #}{% raw %}r{% endraw "
      "%}"
      "{% for k, v in {'a': 1.5e3}.items() if v > 0x1F %}{{ m(k, *[v])|upper }}{% endfor %}é";
  for (size_t size = 0; size <= source.size(); ++size) {
    try {
      jinja::Template::parse("prefix", source.substr(0, size)).render({});
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
    }
  }
}

}  // namespace
}  // namespace alambic::hostile_test
