// The options file of a run.
#include <unistd.h>

#include "alambic/base/files.h"
#include "alambic/options/config_toml.h"
#include "fuzz/fuzz.h"

namespace alambic {

namespace {

enum class Letter { a, b };

struct SomeOptions : Options {
  bool flag = false;
  int64_t integer = 1;
  double number = 0.5;
  std::string text;
  Letter choice = Letter::a;
  std::vector<std::string> list;

  void visit(OptionVisitor& v) override {
    v.group("Some");
    v.flag("flag", flag, "");
    v.integer("max-steps", integer, "", {.min = 1});
    v.number("beta", number, "", {.min = 0, .max = 1});
    v.text("model", text, "");
    v.choice("device", choice, {{"a", Letter::a}, {"b", Letter::b}}, "");
    v.list("teacher", list, "");
  }
};

}  // namespace

std::vector<std::string> fuzz_seeds() {
  SomeOptions options;
  options.list = {"a=b", "é\"\\"};
  return {
      config_toml("some", options),
      "flag = true\nmax_steps = 1_000\nbeta = 1e-1 # c\nmodel = '''\nx'''\n[more]\na = 1\n",
      "device = \"b\"\nteacher = [\"a\",\n \"b\",]\nd = 1979-05-27T07:32:00Z\nt = {x.y = [[]]}\n"};
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  static const fs::path path =
      fs::temp_directory_path() / ("alambic_toml_fuzz_" + std::to_string(::getpid()));
  write_file(path, text_of(data, size));
  parse_or_refuse([&] {
    SomeOptions options;
    OptionTable table(options);
    read_config(path, table);
  });
  fs::remove(path);
  return 0;
}
