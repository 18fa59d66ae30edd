#include "alambic/teacher/cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "alambic/teacher/cached.h"
#include "alambic/teacher/local.h"
#include "tests/golden.h"
#include "tests/model_fixture.h"

namespace alambic::cache_test {
namespace {

Rollouts rollouts_of(const std::vector<std::vector<int32_t>>& sequences) {
  Rollouts rollouts{.sequences = pack(sequences)};
  rollouts.completion_mask_N = at::zeros({rollouts.sequences.positions()}, at::kBool);
  for (int64_t s = 0; s < rollouts.sequences.sequences(); ++s) {
    rollouts.completion_mask_N
        .slice(0, rollouts.sequences.offsets[s] + 1, rollouts.sequences.offsets[s + 1])
        .fill_(true);
  }
  rollouts.logp_N = at::zeros({rollouts.sequences.positions()});
  return rollouts;
}

Tensor hidden_of(const TeacherOutput& output) { return hidden_states(output).hidden_MD; }

const std::vector<int32_t> kFirst = {3, 7, 9, 2}, kSecond = {5, 1}, kThird = {4, 8, 6};

struct TeacherCacheTest : testing::Test {
  fs::path folder;
  LocalTeacher teacher{random_model(small_llama_config()), 50};

  TeacherCacheTest() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = fs::path(::mkdtemp(name.data())) / "cache";
  }
  ~TeacherCacheTest() override { fs::remove_all(folder.parent_path()); }

  static CacheManifest exact() {
    return {.dtype = "float32",
            .width = 32,
            .teacher = "models/teacher",
            .teacher_digest = "aaaa",
            .tokenizer_digest = "bbbb",
            .template_digest = "none",
            .vocabulary = 50,
            .computed_in = "float32"};
  }
  void fill(const std::vector<std::vector<int32_t>>& sequences,
            const CacheManifest& manifest = exact()) {
    TeacherCache cache(folder, manifest);
    cache.fill(teacher, rollouts_of(sequences));
    cache.flush();
  }
  std::string refusal(const CacheManifest& needed = exact()) const {
    try {
      const TeacherCache cache(folder, needed);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_FALSE(error.hint().empty());
      return error.what();
    }
    return "";
  }
};

// Grades of another sequence, or rows in the order of the file, would teach nonsense quietly.
TEST_F(TeacherCacheTest, GivesBackWhatTheTeacherSaidInAnyOrder) {
  fill({kFirst, kSecond, kThird});
  const TeacherCache cache(folder, exact());
  const Rollouts asked = rollouts_of({kThird, kFirst});
  EXPECT_TRUE(hidden_of(cache.read(asked)).equal(hidden_of(teacher.evaluate(asked))));
  EXPECT_EQ(cache.manifest().positions(), 6);
  EXPECT_EQ(cache.manifest().bytes_per_position(), 32 * 4);
}

TEST_F(TeacherCacheTest, NamesASequenceByItsTokensAndItsPrompt) {
  const Rollouts rollouts = rollouts_of({kFirst, kSecond});
  Rollouts longer_prompt = rollouts_of({kFirst});
  longer_prompt.completion_mask_N[1] = false;
  EXPECT_EQ(sequence_keys(rollouts)[0], sequence_keys(rollouts_of({kFirst}))[0]);
  EXPECT_NE(sequence_keys(rollouts)[0], sequence_keys(longer_prompt)[0]);
  EXPECT_NE(sequence_keys(rollouts)[0], sequence_keys(rollouts)[1]);
}

TEST_F(TeacherCacheTest, KeepsHalfTheBytesInBfloat16) {
  CacheManifest half = exact();
  half.dtype = "bfloat16";
  fill({kFirst}, half);
  const TeacherCache cache(folder, half);
  const Rollouts asked = rollouts_of({kFirst});
  const Tensor hidden_MD = hidden_of(cache.read(asked));
  EXPECT_EQ(hidden_MD.scalar_type(), at::kBFloat16);
  // Eight bits of mantissa.
  EXPECT_LT(relative_distance(hidden_MD, hidden_of(teacher.evaluate(asked))), 1.0 / 256);
}

// A filling that was interrupted continues, and does not grade twice.
TEST_F(TeacherCacheTest, ContinuesWhereItWas) {
  fill({kFirst});
  write_file(folder / "part-00001.safetensors", "left by a crash before the manifest");
  fill({kFirst, kSecond, kSecond});
  const TeacherCache cache(folder, exact());
  ASSERT_EQ(cache.manifest().parts.size(), 2u);
  EXPECT_EQ(cache.manifest().parts[1].sequences, 1);
  const Rollouts asked = rollouts_of({kSecond, kFirst});
  EXPECT_TRUE(hidden_of(cache.read(asked)).equal(hidden_of(teacher.evaluate(asked))));
}

TEST_F(TeacherCacheTest, IsFilledByOneProcessAtATime) {
  TeacherCache one(folder, exact()), other(folder, exact());
  one.fill(teacher, rollouts_of({kFirst}));
  try {
    other.fill(teacher, rollouts_of({kSecond}));
    FAIL() << "filled by two";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(fmt::format("process {} on", ::getpid())),
              std::string::npos)
        << error.what();
  }
}

// Bug: the lock was held until the run ended, and a second run, with other rows, was told for hours
// that the first one "is filling".
TEST_F(TeacherCacheTest, IsFreeForOtherProcessesOnceItIsFilled) {
  TeacherCache one(folder, exact()), other(folder, exact());
  one.fill(teacher, rollouts_of({kFirst}));
  one.flush();
  other.fill(teacher, rollouts_of({kSecond, kFirst}));  // and what the first wrote stays
  EXPECT_THROW(one.fill(teacher, rollouts_of({kThird})), Error);
  other.flush();
  one.fill(teacher, rollouts_of({kThird}));
  one.flush();
  const TeacherCache cache(folder, exact());
  ASSERT_EQ(cache.manifest().parts.size(), 3u);
  EXPECT_EQ(cache.manifest().parts[1].sequences, 1);
  const Rollouts asked = rollouts_of({kThird, kSecond, kFirst});
  for (const TeacherCache* reader : {&std::as_const(one), &cache}) {
    EXPECT_TRUE(hidden_of(reader->read(asked)).equal(hidden_of(teacher.evaluate(asked))));
  }
}

// Nothing to write is no reason to keep the others waiting.
TEST_F(TeacherCacheTest, IsFreeWhereAFillingFoundNothingNew) {
  fill({kFirst});
  TeacherCache one(folder, exact()), other(folder, exact());
  one.fill(teacher, rollouts_of({kFirst}));
  one.flush();
  other.fill(teacher, rollouts_of({kSecond}));
}

// A cache of the same name that somebody has deleted and begun again meanwhile has other parts.
TEST_F(TeacherCacheTest, IsNotFilledWhereAnotherHasTakenItsPlace) {
  fill({kFirst});
  TeacherCache one(folder, exact());
  fs::remove_all(folder);
  fill({kSecond});
  EXPECT_THROW(one.fill(teacher, rollouts_of({kThird})), Error);
  CacheManifest of_another = exact();
  of_another.teacher_digest = "cccc";
  fs::remove_all(folder);
  TeacherCache late(folder, exact());
  fill({kFirst}, of_another);
  EXPECT_THROW(late.fill(teacher, rollouts_of({kThird})), Error);
}

TEST_F(TeacherCacheTest, SaysWhichSequenceItLacks) {
  fill({kFirst});
  const TeacherCache cache(folder, exact());
  EXPECT_THROW(cache.read(rollouts_of({kFirst, kSecond})), Error);
}

TEST_F(TeacherCacheTest, RefusesAnotherTeacherWithTheDifference) {
  fill({kFirst});
  EXPECT_EQ(refusal(), "");
  const auto differs = [&](auto change, const char* word) {
    CacheManifest needed = exact();
    change(needed);
    EXPECT_NE(refusal(needed).find(word), std::string::npos) << refusal(needed);
  };
  differs([](auto& m) { m.teacher_digest = "cccc"; }, "teacher's digest is aaaa there, cccc");
  differs([](auto& m) { m.tokenizer_digest = "cccc"; }, "tokenizer's digest is bbbb there, cccc");
  differs([](auto& m) { m.template_digest = "cccc"; }, "template");
  differs([](auto& m) { m.vocabulary = 51; }, "vocabulary's size is 50 there, 51");
  differs([](auto& m) { m.dtype = "bfloat16"; }, "float32 there, bfloat16");
  differs([](auto& m) { m.form = CacheForm::topk; }, "hidden there, topk");
  CacheManifest same = exact();
  same.teacher = "moved/elsewhere";  // the same weights under another name
  EXPECT_EQ(refusal(same), "");
}

TEST_F(TeacherCacheTest, RefusesDamagedFilesByName) {
  const auto damaged = [&](auto damage, const char* word) {
    fs::remove_all(folder);
    fill({kFirst, kSecond, kThird});
    damage(folder / "part-00000.safetensors");
    EXPECT_NE(refusal().find(word), std::string::npos) << refusal();
  };
  damaged([](const fs::path& part) { fs::resize_file(part, fs::file_size(part) - 1); },
          "part-00000.safetensors");
  damaged([](const fs::path& part) { fs::resize_file(part, 4); }, "part-00000.safetensors");
  damaged(
      [](const fs::path& part) {
        std::string bytes = read_file(part);
        bytes[bytes.size() - 9] ^= 1;
        write_file(part, bytes);
      },
      "part-00000.safetensors");
  damaged([](const fs::path& part) { fs::remove(part); }, "part-00000.safetensors");
  const auto spoil = [](const char* from, const char* to) {
    return [=](const fs::path& part) {
      std::string text = read_file(part.parent_path() / "manifest.json");
      text.replace(text.find(from), std::string(from).size(), to);
      write_file(part.parent_path() / "manifest.json", text);
    };
  };
  fs::remove_all(folder);
  fill({kFirst});
  const std::string whole = read_file(folder / "manifest.json");
  for (const char* name : {"form", "dtype", "width", "temperature", "teacher_digest", "parts"}) {
    write_file(folder / "manifest.json", whole);
    spoil(fmt::format("\"{}\"", name).c_str(), "\"x\"")(folder / "part");
    EXPECT_THROW(TeacherCache(folder, exact()), Error) << name;
  }
  for (const size_t length : {size_t{0}, size_t{1}, whole.size() / 2}) {
    write_file(folder / "manifest.json", whole.substr(0, length));
    EXPECT_THROW(TeacherCache(folder, exact()), Error) << length;
  }
  write_file(folder / "manifest.json", whole);
  // A lying size: one more than it does not exist.
  spoil("\"sequences\": 1", "\"sequences\": 9223372036854775807")(folder / "part");
  EXPECT_THROW(TeacherCache(folder, exact()), Error);
  write_file(folder / "manifest.json", whole);
  spoil("part-00000.safetensors", "../../part-00000.safetensors")(folder / "part");
  EXPECT_THROW(TeacherCache(folder, exact()), Error);
}

// A mistyped folder name would otherwise fill somebody's documents with parts.
TEST_F(TeacherCacheTest, NeverWritesIntoAFolderWithOtherThings) {
  fs::create_directories(folder);
  write_file(folder / "thesis.tex", "years of work");
  EXPECT_NE(refusal().find("not a teacher cache"), std::string::npos);
}

// The head is soft-capped and scaled on both ways, or the top K would be of another distribution.
TEST_F(TeacherCacheTest, KeepsTheTopKOfTheSoftenedDistribution) {
  CacheManifest top = exact();
  top.form = CacheForm::topk;
  top.topk = 5;
  top.temperature = 2;
  fill({kFirst, kSecond}, top);
  const TeacherCache cache(folder, top);
  EXPECT_EQ(cache.manifest().bytes_per_position(), 5 * 8);
  const Rollouts asked = rollouts_of({kSecond, kFirst});
  const TeacherOutput exact = teacher.evaluate(asked);
  const TopK kept = std::get<TopK>(cache.read(asked));
  const HiddenStates& states = hidden_states(exact);
  const Tensor logp_MV = states.hidden_MD.matmul(states.head.weight_VD.dense().t())
                             .div(2)
                             .to(at::kDouble)
                             .log_softmax(1);
  EXPECT_LT(distance(kept.logp_MK, logp_MV.gather(1, kept.token_MK)), 1e-5);
  EXPECT_LT(distance(kept.logp_MK, std::get<0>(logp_MV.topk(5, 1))), 1e-5);
}

TEST(HeadCache, HoldsOneHeadAtATime) {
  HeadCache head_cache;
  std::vector<int> loads(2, 0);
  for (int i = 0; i < 2; ++i) {
    head_cache.add([&loads, i] {
      ++loads[i];
      return Head{.weight_VD = at::full({2, 2}, i)};
    });
  }
  const c10::weak_intrusive_ptr<at::TensorImpl> first(
      head_cache.take(0).weight_VD.dense().getIntrusivePtr());
  head_cache.take(0);
  EXPECT_EQ(loads[0], 1);
  EXPECT_EQ(head_cache.take(1).weight_VD.dense()[0][0].item<double>(), 1);
  EXPECT_TRUE(first.expired());
}

}  // namespace
}  // namespace alambic::cache_test
