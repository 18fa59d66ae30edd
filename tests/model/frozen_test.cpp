// What stays in the mapped files: models that nobody will write to, whose block formats stay packed
// too, and those that are trained until they are.
#include <gtest/gtest.h>
#include <malloc.h>

#include <fstream>
#include <map>

#include "alambic/base/files.h"
#include "alambic/nn/head_logits.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/divergence.h"
#include "tests/golden_models.h"
#include "tests/model/gguf_of.h"

namespace alambic::frozen_test {
namespace {

// Bytes of this process's memory: "RssAnon:" without that of mapped files, "RssFile:" that alone.
double resident_bytes(const std::string& kind) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == kind && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

bool in_mapped_file(const Tensor& tensor) {
  std::ifstream maps("/proc/self/maps");
  const auto address = reinterpret_cast<uintptr_t>(tensor.const_data_ptr());
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    std::sscanf(line.c_str(), "%lx-%lx", &begin, &end);
    if (address >= begin && address < end) return line.find("model.safetensors") != line.npos;
  }
  return false;
}

Tensor logits_of(const Model& model, const Pass& pass) {
  return head_logits(model.head(), model.hidden(pass));
}

class FrozenGguf : public testing::TestWithParam<std::tuple<const char*, bool>> {};

// Prevents: a teacher whose hidden states, head or loss depend on how its file is kept in memory.
TEST_P(FrozenGguf, ComputesWhatTheDecodedModelDoes) {
  const auto [type, tied] = GetParam();
  const at::NoGradGuard no_grad;
  const fs::path file = gguf_of(wide_config(tied), type, fmt::format("frozen_{}_{}", type, tied));
  const auto packed = load_model(file, {.frozen = true}), plain = load_model(file, {});
  ASSERT_TRUE(packed->head().weight_VD.is_packed());
  EXPECT_FALSE(plain->head().weight_VD.is_packed());
  EXPECT_EQ(packed->parameters(), plain->parameters());
  std::vector<std::vector<int32_t>> sequences(3);
  for (int32_t i = 0; i < 130; ++i) sequences[i % 3].push_back(i * 7 % 300);
  for (auto& sequence : sequences) sequence.resize(std::min<size_t>(sequence.size(), 60));
  const Packed tokens = pack(sequences);
  const Tensor hidden = plain->hidden(Pass(tokens));
  EXPECT_TRUE(at::equal(packed->hidden(Pass(tokens)), hidden));
  EXPECT_FALSE(hidden.isnan().any().item<bool>());
  // The loss against it, whose chunks make the teacher's logits, over part of the vocabulary too.
  const Tensor student = hidden.flip(0).contiguous();
  const Head own = plain->head();
  for (const int64_t vocabulary : {int64_t{300}, int64_t{290}}) {
    const auto value = [&](const Model& teacher) {
      return divergence_loss(
                 {}, student, own.cut(vocabulary),
                 HiddenStates{.hidden_MD = hidden, .head = teacher.head().cut(vocabulary)}, 100)
          .value;
    };
    EXPECT_TRUE(at::equal(value(*packed), value(*plain))) << vocabulary;
  }
  // As the one that is measured (eval): its loss has no gradient.
  const Tensor target_M = at::arange(hidden.size(0), at::kLong);
  const auto measured = [&](const Model& model) {
    const Head head = model.head().cut(290);
    return std::pair(cross_entropy_loss(hidden, head, target_M, 100).value,
                     divergence_loss({}, hidden, head,
                                     HiddenStates{.hidden_MD = student, .head = own.cut(290)}, 100)
                         .value);
  };
  EXPECT_TRUE(at::equal(measured(*packed).first, measured(*plain).first));
  EXPECT_TRUE(at::equal(measured(*packed).second, measured(*plain).second));
}

INSTANTIATE_TEST_SUITE_P(Types, FrozenGguf,
                         testing::Combine(testing::Values("q8_0", "q4_0", "q4_k"),
                                          testing::Bool()));

// Bug: the weights of a packed model were written as the NaN that stood in their stead.
TEST(FrozenGgufFile, IsSavedAsItsDecodedWeights) {
  const fs::path file = gguf_of(wide_config(false), "q8_0", "frozen_saved");
  const auto packed = load_model(file, {.frozen = true}), plain = load_model(file, {});
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_frozen_saved_again";
  fs::remove_all(folder);
  save_model(*packed, folder, Json());
  EXPECT_TRUE(packed->head().weight_VD.is_packed());
  const auto again = load_model(folder, {});
  std::map<std::string, Tensor> expected;
  plain->visit([&](const std::string& name, Tensor& tensor) { expected[name] = tensor; });
  again->visit([&](const std::string& name, Tensor& tensor) {
    EXPECT_TRUE(at::equal(tensor, expected.at(name))) << name;
  });
}

// Of every family that GGUF has: a family that computes with a weight in a way of its own does so
// with a packed one too.
class FrozenFamily : public testing::TestWithParam<std::string> {};

TEST_P(FrozenFamily, ComputesWhatTheDecodedModelDoes) {
  const at::NoGradGuard no_grad;
  const ModelFolder golden = ModelFolder::open(golden_folder(GetParam()));
  fs::path file;
  try {
    file = gguf_of(golden, "q8_0", "frozen_" + GetParam());
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const auto packed = load_model(file, {.frozen = true}), plain = load_model(file, {});
  const Packed tokens = pack({{1, 5, 9, 3, 7, 2, 8, 4}, {6, 1}});
  EXPECT_TRUE(at::equal(packed->hidden(Pass(tokens)), plain->hidden(Pass(tokens))));
  EXPECT_TRUE(
      at::allclose(logits_of(*packed, Pass(tokens)), logits_of(*plain, Pass(tokens)), 1e-5, 1e-5));
}

INSTANTIATE_TEST_SUITE_P(All, FrozenFamily, testing::ValuesIn(golden_models()), golden_name);

TEST(FrozenModel, OfSafetensorsStaysInTheMappedFile) {
  const at::NoGradGuard no_grad;
  const auto frozen = load_model(golden_folder("llama"), {.frozen = true}),
             plain = load_model(golden_folder("llama"), {});
  const Packed tokens = pack({{1, 5, 9, 3}});
  EXPECT_TRUE(at::equal(frozen->hidden(Pass(tokens)), plain->hidden(Pass(tokens))));
  EXPECT_TRUE(in_mapped_file(frozen->head().weight_VD.dense()));
}

// Prevents: a bfloat16 teacher of twice its file.
TEST(FrozenModel, OfNarrowNumbersComputesWhatTheDecodedModelDoes) {
  const at::NoGradGuard no_grad;
  const fs::path narrow = fs::path(testing::TempDir()) / "alambic_frozen_bfloat16";
  save_model(*load_model(golden_folder("llama"), {}), narrow, Json(), at::kBFloat16);
  const auto packed = load_model(narrow, {.frozen = true}), plain = load_model(narrow, {});
  packed->visit([&](const std::string& name, const Weight& weight) {
    EXPECT_EQ(weight.is_packed(), weight.dim() == 2) << name;
  });
  const Packed tokens = pack({{1, 5, 9, 3, 7, 2, 8, 4}, {6, 1}});
  EXPECT_TRUE(at::equal(packed->hidden(Pass(tokens)), plain->hidden(Pass(tokens))));
  EXPECT_TRUE(
      at::allclose(logits_of(*packed, Pass(tokens)), logits_of(*plain, Pass(tokens)), 1e-5, 1e-5));
}

TEST(FrozenModel, OfAnotherDtypeOrWithGradientsIsCopied) {
  const auto bfloat = load_model(golden_folder("llama"), {.dtype = at::kBFloat16, .frozen = true});
  EXPECT_EQ(bfloat->head().weight_VD.scalar_type(), at::kBFloat16);
  const fs::path file = gguf_of(wide_config(false), "q8_0", "frozen_trainable");
  const auto trained = load_model(file, {.trainable = true, .frozen = true});
  EXPECT_FALSE(trained->head().weight_VD.is_packed());
  EXPECT_TRUE(trained->head().weight_VD.requires_grad());
}

// Prevents: a student that is copied before its first step, or whose steps reach its file, another
// run of it, or themselves when it is saved over what it was loaded from.
TEST(TrainedModel, OfSafetensorsStaysInTheMappedFileAndLeavesItAlone) {
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_trained_in_place";
  fs::remove_all(folder);
  save_model(*load_model(golden_folder("llama"), {}), folder, Json());
  const std::string before = read_file(folder / "model.safetensors");
  const auto student = load_model(folder, {.trainable = true, .frozen = true}),
             other = load_model(folder, {.trainable = true});
  const Tensor weight = student->head().weight_VD.dense(), kept = other->head().weight_VD.dense();
  EXPECT_TRUE(in_mapped_file(weight));
  const at::NoGradGuard no_grad;
  const Tensor original = kept.clone(), expected = weight + 1;
  student->visit([](const std::string&, Tensor& tensor) { tensor.add_(1); });
  EXPECT_TRUE(at::equal(weight, expected));
  EXPECT_TRUE(at::equal(kept, original));
  EXPECT_EQ(read_file(folder / "model.safetensors"), before);
  save_model(*student, folder, Json());
  EXPECT_TRUE(at::equal(weight, expected));
  EXPECT_TRUE(at::equal(kept, original));
  EXPECT_TRUE(at::equal(load_model(folder, {})->head().weight_VD.dense(), expected));
}

// Prevents: a file in another dtype that stays in memory beside what was made of it.
TEST(TrainedModelSlow, OfAnotherDtypeLetsGoOfItsFile) {
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_trained_narrow";
  fs::remove_all(folder);
  const std::unique_ptr<Model> model = make_model(wide_config(false, 8, 512, 8000), "config.json");
  fill(*model);
  save_model(*model, folder, Json(), at::kBFloat16);
  const auto size = static_cast<double>(fs::file_size(folder / "model.safetensors"));
  const double before = resident_bytes("RssFile:");
  const auto student = load_model(folder, {.trainable = true});
  EXPECT_LT(resident_bytes("RssFile:") - before, 0.2 * size) << size;
  EXPECT_FALSE(in_mapped_file(student->head().weight_VD.dense()));
}

// Prevents: a teacher of 4-bit weights that takes eight times its file, or whose permuted rows are
// in memory twice, as the file has them and as they are computed with.
TEST(FrozenModelSlow, OfQ4KTakesItsFile) {
  const at::NoGradGuard no_grad;
  const auto passed = [](const fs::path& file) {
    auto teacher = load_model(file, {.frozen = true});
    const Packed input = pack({{1, 2, 3, 4, 5, 6, 7, 8}});
    EXPECT_FALSE(logits_of(*teacher, Pass(input)).isnan().any().item<bool>());
    return teacher;
  };
  passed(gguf_of(wide_config(false), "q4_k", "frozen_small"));  // pages of the program itself
  const fs::path file = gguf_of(wide_config(false, 8, 1024, 1000), "q4_k", "frozen_memory");
  const auto size = static_cast<double>(fs::file_size(file));
  const auto resident = [] {
    ::malloc_trim(0);  // what making the file has left
    return resident_bytes("RssAnon:") + resident_bytes("RssFile:");
  };
  const double before = resident();
  const auto teacher = passed(file);
  EXPECT_LT(resident() - before, 1.1 * size) << size;
}

}  // namespace
}  // namespace alambic::frozen_test
