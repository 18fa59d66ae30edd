// Tables of text (.csv), and the heads of data sets' README.md.
#include "alambic/base/utf8.h"
#include "alambic/io/data_folder.h"
#include "alambic/text/data/csv_rows.h"
#include "fuzz/fuzz.h"

namespace alambic {

std::vector<std::string> fuzz_seeds() {
  return {
      "prompt,completion\n\"a, \"\"b\"\"\nc\",d\r\n\n,NA\n",
      "p,p,p.1\r\na,b\r\n",
      "---\nlicense: mit # c\nconfigs:\n- config_name: default\n  default: true\n  data_dir: data\n"
      "  data_files:\n  - split: train\n    path: [\"a*.jsonl\", '**/b?.csv']\n---\n",
      "---\nconfigs: [{config_name: x, data_files: [{split: test, path: \"[!a-c]*\"}]}]\n---\n",
  };
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  const std::string text(text_of(data, size));
  parse_or_refuse([&] {
    if (is_valid_utf8(text)) write_csv_rows("f.csv", text, ',', [](std::string_view) {});
  });
  parse_or_refuse([&] {
    choose_data_files("f", {"a.jsonl", "data/b1.csv", "data/x/train.jsonl"}, "test", text);
  });
  return 0;
}
