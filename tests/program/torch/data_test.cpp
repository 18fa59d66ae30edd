// Data as people have it, through whole commands.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::data_test {
namespace {

using Json = nlohmann::json;

struct DataProgram : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path();

  void SetUp() override { init_tiny_llama(folder / "model", "4"); }

  std::string at(const std::string& name) const { return (folder / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    write_file(folder / name, bytes);
    return at(name);
  }
  std::string rows(const std::string& name, int first, int count) const {
    std::string text;
    for (int i = first; i < first + count; ++i) {
      text += Json{{"prompt", std::to_string(i) + " + 1 ="},
                   {"completion", " " + std::to_string(i + 1)}}
                  .dump() +
              "\n";
    }
    return write(name, text);
  }
  std::string train(const std::string& out, const std::string& more) const {
    return kProgram + " train --model " + at("model") + " --out " + at(out) +
           " --max-steps 4 --batch-size 4 --seed 3 --device cpu --threads 1 --learning-rate 1e-2 " +
           more;
  }
  std::string weights_of(const std::string& out) const {
    return read_file(folder / out / "model/model.safetensors");
  }
};

// The same rows in every form give the same weights, byte for byte.
TEST_F(DataProgram, TrainsTheSameFromEveryFormOfTheSameRows) {
  const std::string data = rows("rows.jsonl", 0, 8);
  ASSERT_EQ(
      shell("cd " + folder.string() +
            " && gzip -k rows.jsonl && tr '\\n' '\\r' < rows.jsonl > cr.jsonl && mkdir set && "
            "split -l 3 rows.jsonl set/part- --additional-suffix=.jsonl && "
            "(printf '['; paste -sd, rows.jsonl; printf ']') > rows.json && "
            "sed 's/prompt/question/; s/completion/answer/' rows.jsonl > named.jsonl")
          .code,
      0);
  ASSERT_EQ(shell(train("whole", "--data " + data)).code, 0);
  const std::string forms[] = {
      "--data " + data + ".gz",
      "--data - < " + data,
      "--data " + at("cr.jsonl"),
      "--data " + at("set"),
      "--data " + at("rows.json"),
      "--data " + at("named.jsonl") + " --columns prompt=question,completion=answer",
  };
  int number = 0;
  for (const std::string& form : forms) {
    const std::string out = "form" + std::to_string(number++);
    const Outcome trained = shell(train(out, form));
    ASSERT_EQ(trained.code, 0) << form << "\n" << trained.text;
    EXPECT_EQ(weights_of(out), weights_of("whole")) << form;
  }
}

// A mixture is a function of seed and step: stopped and resumed it ends with the same bytes.
TEST_F(DataProgram, MixesAndResumesByteForByte) {
  const std::string data = "--data " + rows("a.jsonl", 0, 3) + "=0.7 --data " +
                           rows("b.jsonl", 10, 8) + "=0.3 --save-every 1 ";
  const Outcome whole = shell(train("whole", data));
  ASSERT_EQ(whole.code, 0) << whole.text;
  const std::string run = train("cut", data);
  shell(run + " & p=$!; until [ -d " + at("cut/checkpoints/step-00000001") +
        " ] || ! kill -0 $p; do sleep 0.01; done; kill -KILL $p; wait $p");
  const Outcome resumed = shell(run + " --resume");
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  EXPECT_EQ(weights_of("cut"), weights_of("whole"));
  ASSERT_EQ(
      shell(train("other", "--data " + at("a.jsonl") + "=0.3 --data " + at("b.jsonl") + "=0.7"))
          .code,
      0);
  EXPECT_NE(weights_of("other"), weights_of("whole"));
  const Outcome half =
      shell(train("half", "--data " + at("a.jsonl") + "=0.7 --data " + at("b.jsonl")));
  EXPECT_EQ(half.code, 2);
  EXPECT_NE(half.text.find("b.jsonl has no weight, but others have one"), half.text.npos)
      << half.text;
}

TEST_F(DataProgram, SaysWhatBecomesOfLongRows) {
  std::string text = read_file(rows("short.jsonl", 0, 6));
  text += Json{{"prompt", "1 + 1 ="}, {"completion", std::string(200, '7')}}.dump() + "\n";
  text += Json{{"prompt", std::string(200, '7')}, {"completion", "1"}}.dump() + "\n";
  const std::string data = "--data " + write("long.jsonl", text);
  const Outcome refused = shell(train("refused", data));
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.text.find("long.jsonl:7: prompt and completion have"), refused.text.npos)
      << refused.text;
  const Outcome skipped = shell(train("skipped", data + " --on-long-row skip"));
  EXPECT_EQ(skipped.code, 0) << skipped.text;
  EXPECT_NE(skipped.text.find("of 8 rows 2 are left out and 0 cut"), skipped.text.npos)
      << skipped.text;
  const Outcome cut = shell(train("cut", data + " --on-long-row truncate"));
  EXPECT_EQ(cut.code, 0) << cut.text;
  EXPECT_NE(cut.text.find("of 8 rows 1 are left out and 1 cut"), cut.text.npos) << cut.text;
}

// eval counts any accepted answer, and says which of its own rows is in another encoding.
TEST_F(DataProgram, EvaluatesAnswersOfEveryType) {
  const std::string data = write("tasks.jsonl",
                                 "{\"prompt\": \"1 + 1 =\", \"answer\": 2}\n"
                                 "{\"prompt\": \"1 + 2 =\", \"answer\": [\"3\", 3.0]}\n"
                                 "{\"prompt\": \"1 < 2\", \"answer\": true}\n");
  const Outcome found = shell(kProgram + " eval --model " + at("model") + " --data " + data +
                              " --max-new-tokens 2 --device cpu --json");
  EXPECT_EQ(found.code, 0) << found.text;
  EXPECT_NE(found.text.find("\"exact_match\""), found.text.npos) << found.text;
  const std::string latin = write("latin.txt", "sch\xF6n und gut\n");
  const Outcome refused =
      shell(kProgram + " eval --model " + at("model") + " --data " + latin + " --device cpu");
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.text.find("latin.txt is not UTF-8: byte 4 (line 1"), refused.text.npos)
      << refused.text;
}

}  // namespace
}  // namespace alambic::data_test
