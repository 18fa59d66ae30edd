// Adapters that change more than linear maps, and models that hold one, as whole commands
// (tools/goldens/adapter_kinds.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "alambic/base/files.h"
#include "alambic/base/json_object.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/io/safetensors.h"
#include "tests/program/program.h"

namespace alambic::adapter_kinds_test {
namespace {

const fs::path goldens = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden";

template <class Number>
std::vector<Number> numbers(const TensorView& tensor) {
  std::vector<Number> result(tensor.bytes.size() / sizeof(Number));
  std::memcpy(result.data(), tensor.bytes.data(), tensor.bytes.size());
  return result;
}

struct AdapterCommands : testing::Test {
  TemporaryFolder folder;

  std::string at(const std::string& name) const { return (folder.path() / name).string(); }
  Outcome succeed(const std::string& command) const {
    const Outcome outcome = alambic(command);
    EXPECT_EQ(outcome.code, 0) << command << "\n" << outcome.text;
    return outcome;
  }
  // Distance of the logits of `model` (with more options) from the golden ones of a kind.
  double distance(const std::string& kind, const std::string& model) const {
    const SafetensorsFile golden =
        SafetensorsFile::open(goldens / "adapter_kinds" / kind / "golden.safetensors");
    const nlohmann::json ids = {numbers<int64_t>(*golden.find("tokens"))};
    write_file(folder.path() / "ids.json", ids.dump());
    succeed("logits --tokens " + at("ids.json") + " --out " + at("logits.safetensors") +
            " --model " + model);
    const SafetensorsFile file = SafetensorsFile::open(folder.path() / "logits.safetensors");
    const auto found = numbers<float>(*file.find("logits.0"));
    const auto expected = numbers<float>(*golden.find("logits"));
    if (found.size() != expected.size()) return INFINITY;
    double worst = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      worst = std::max<double>(worst, std::abs(found[i] - expected[i]));
    }
    fs::remove(folder.path() / "logits.safetensors");
    return worst;
  }
  static std::string base_of(const std::string& kind) {
    return (goldens / read_json_object(goldens / "adapter_kinds" / kind / "kind.json")["base"])
        .string();
  }
};

// Bug: a folder or file made of it is tied again, or of the old size.
TEST_F(AdapterCommands, ConvertMergesHeadsEmbeddingsAndTokens) {
  for (const std::string kind : {"resized", "tied_saved_embedding", "new_tokens", "pissa"}) {
    const std::string adapter = (goldens / "adapter_kinds" / kind).string();
    EXPECT_LT(distance(kind, base_of(kind) + " --adapter " + adapter), 3e-5) << kind;
    for (const std::string end : {"", ".gguf"}) {
      succeed("convert --model " + base_of(kind) + " --adapter " + adapter + " --out " +
              at(kind + end));
      EXPECT_LT(distance(kind, at(kind + end)), 3e-5) << kind << end;
    }
  }
}

// Bug: the adapter of a folder that holds a whole model too was passed over; transformers applies
// it.
TEST_F(AdapterCommands, AModelThatHoldsAnAdapterIsReadWithIt) {
  const fs::path adapter = goldens / "adapter_kinds/patterns";
  const std::string model = at("both");
  fs::copy(base_of("patterns"), model);
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
    fs::copy(adapter / name, fs::path(model) / name);
  }
  EXPECT_LT(distance("patterns", model), 3e-5);
  const Outcome outcome = succeed("convert --model " + model + " --out " + at("one.gguf"));
  EXPECT_NE(outcome.text.find("adapter in it is merged"), std::string::npos) << outcome.text;
  EXPECT_LT(distance("patterns", at("one.gguf")), 3e-5);
  const Outcome refused = alambic("convert --model " + model + " --adapter " + adapter.string() +
                                  " --out " + at("never"));
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.text.find("holds an adapter of its own"), std::string::npos) << refused.text;
}

// Bug: a folder with TRL's head for values was refused, or became GGUF without a word.
TEST_F(AdapterCommands, ConvertNamesWhatIsBesideTheModel) {
  const std::string model = at("values");
  fs::copy(base_of("pissa"), model);
  const SafetensorsFile file = SafetensorsFile::open(fs::path(model) / "model.safetensors");
  std::vector<TensorView> tensors = file.tensors();
  const std::vector<float> head(32);
  tensors.push_back(
      {.name = "v_head.summary.weight", .shape = {1, 32}, .bytes = std::as_bytes(std::span(head))});
  write_safetensors(fs::path(model) / "model.safetensors", tensors, {{"format", "pt"}});
  const Outcome outcome = succeed("convert --model " + model + " --out " + at("values.gguf"));
  EXPECT_NE(outcome.text.find("left out: v_head.summary.weight"), std::string::npos)
      << outcome.text;
  EXPECT_LT(distance("pissa", at("values.gguf") + " --adapter " +
                                  (goldens / "adapter_kinds/pissa").string()),
            3e-5);
}

}  // namespace
}  // namespace alambic::adapter_kinds_test
