// Places that cannot be written to, given to every command that writes: exit code 3 (2 for a name
// that is too long), the path and the system's reason.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/program/torch/tiny_llama.h"

namespace alambic::disk_test {
namespace {

struct Disk : testing::Test {
  static inline fs::path folder;

  static std::string at(const std::string& name) { return (folder / name).string(); }

  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "alambic_disk_XXXXXX";
    folder = ::mkdtemp(name.data());
    fs::permissions(folder, fs::perms(0755));
    init_tiny_llama(folder / "model", "1");
    std::string rows;
    for (int i = 0; i < 4; ++i) {
      const std::string n = std::to_string(i);
      rows +=
          nlohmann::json{{"prompt", n + " + 1 ="}, {"completion", " " + n}, {"answer", n}}.dump() +
          "\n";
    }
    write_file(at("rows.jsonl"), rows);
    write_file(at("file"), "a file where a folder should be");
    fs::create_symlink("nowhere/at/all", at("dangling"));
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  struct Command {
    std::string words;  // PLACE stands for where it writes
    std::string file;   // what it makes there, where it is no folder
  };
  static std::vector<Command> commands() {
    const std::string model = at("model"), rows = at("rows.jsonl"), cpu = " --device cpu";
    const std::string small = " --batch-size 2 --max-steps 1" + cpu;
    const std::string distill = "distill --student " + model + " --teacher " + model + " --data " +
                                rows + " --max-completion-length 4" + small + " --overwrite";
    return {
        {"train --model " + model + " --data " + rows + small + " --out PLACE", ""},
        {distill + " --out PLACE", ""},
        {distill + " --lmbda 0 --out " + at("run") + " --teacher-cache PLACE", ""},
        {distill + " --lmbda 0 --completions-by teacher --out " + at("run") +
             " --teacher-completions PLACE/file",
         ""},
        {"init --model-config " + at("config.json") + " --tokenizer " + model + " --out PLACE", ""},
        {"init --from " + model + " --layers 1 --out PLACE", ""},
        {"convert --model " + model + " --dtype float32 --out PLACE", ""},
        {"convert --model " + model + " --out PLACE", ".gguf"},
        {"tokenizer train --data " + rows + " --vocab-size 270 --out PLACE", ""},
        {"eval --model " + model + " --data " + rows + cpu + " --out PLACE", ".json"},
    };
  }
  static std::string filled(const Command& command, std::string place) {
    std::string words = command.words;
    place += command.file;
    return words.replace(words.find("PLACE"), 5, place);
  }
  static void expect_told(const Outcome& outcome, const std::string& command,
                          const std::vector<std::string>& words, int code = 3) {
    EXPECT_EQ(outcome.code, code) << command << "\n" << outcome.text;
    EXPECT_EQ(outcome.text.find("bug in Alambic"), std::string::npos) << command;
    for (const std::string& word : words) {
      EXPECT_NE(outcome.text.find(word), std::string::npos) << command << "\n" << outcome.text;
    }
  }
};

// Prevents: std::filesystem's own exception told as "a bug in Alambic", exit code 70.
TEST_F(Disk, AFileWhereAFolderShouldBeIsToldByEveryCommand) {
  for (const Command& command : commands()) {
    const std::string words = filled(command, at("file/sub"));
    expect_told(alambic(words), words, {at("file/sub"), "Not a directory"});
  }
}

TEST_F(Disk, ANameThatIsTooLongIsToldByEveryCommand) {
  const std::string name(300, 'n');
  for (const Command& command : commands()) {
    const std::string words = filled(command, at(name));
    expect_told(alambic(words), words, {name, "File name too long"}, 2);
  }
}

TEST_F(Disk, ALinkToNowhereIsToldByEveryCommand) {
  for (const Command& command : commands()) {
    const std::string words = filled(command, at("dangling") + "/sub");
    expect_told(alambic(words), words, {at("dangling")});
  }
}

TEST_F(Disk, AReportThatCannotBeWrittenSaysWhy) {
  const Outcome trained = alambic(filled(commands()[0], at("reported")));
  ASSERT_EQ(trained.code, 0) << trained.text;
  for (const std::string& place : {at("file/sub.html"), at("dangling/sub.html")}) {
    const std::string words = "report --run " + at("reported") + " --out " + place;
    expect_told(alambic(words), words, {place});
  }
}

// A shell of its own mounts; where the system does not let it, there is nothing to see.
std::string in_mount(const std::string& options, const std::string& place,
                     const std::string& words) {
  return "unshare -m sh -c 'mount -t tmpfs -o " + options + " tmpfs " + place +
         " || exit 99; cat /dev/zero 2> /dev/null > " + place + "/fill; exec " + words + "'";
}

TEST_F(Disk, AFullDiskIsToldByEveryCommand) {
  fs::create_directories(at("mount"));
  if (shell(in_mount("size=16k", at("mount"), "true")).code != 0) {
    GTEST_SKIP() << "no mounting here: this needs root and namespaces";
  }
  for (const Command& command : commands()) {
    const std::string words = filled(command, at("mount/sub"));
    expect_told(shell(in_mount("size=16k", at("mount"), kProgram + " " + words)), words,
                {at("mount"), "No space left on device"});
    expect_told(shell(in_mount("ro", at("mount"), kProgram + " " + words)), words,
                {at("mount"), "Read-only file system"});
  }
}

// Prevents: a run that meets the full disk in its middle, told as a bug: at the folder of the
// checkpoints or of one of them.
TEST_F(Disk, ADiskThatFillsAtAnyFileOfARunIsTold) {
  fs::create_directories(at("mount"));
  const std::string train = kProgram + " train --model " + at("model") + " --data " +
                            at("rows.jsonl") + " --batch-size 2 --max-steps 2 --save-every 1" +
                            " --device cpu --out " + at("mount/run");
  for (int files = 3; files <= 12; ++files) {
    const std::string mount = "mount -t tmpfs -o nr_inodes=" + std::to_string(files) + " tmpfs ";
    const std::string words =
        "unshare -m sh -c '" + mount + at("mount") + " || exit 99; exec " + train + "'";
    const Outcome outcome = shell(words);
    if (outcome.code == 99 || outcome.code == 1) GTEST_SKIP() << "no mounting here";
    expect_told(outcome, words, {at("mount/run"), "No space left on device"});
  }
}

// Prevents: a limit on file sizes (`ulimit -f`) that ends the program by a signal, without a word.
TEST_F(Disk, ALimitOnFileSizesIsToldAsAFullDiskIs) {
  const std::string words = filled(commands()[0], at("limited"));
  expect_told(shell("ulimit -f 8; " + kProgram + " " + words), words,
              {at("limited"), "File too large"});
}

TEST_F(Disk, MissingRightsAreToldByEveryCommand) {
  fs::create_directories(at("locked"));
  fs::permissions(at("locked"), fs::perms::none);
  // Rights do not bind root: then as a user whom nothing belongs to.
  const std::string as_user =
      ::geteuid() == 0 ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : "";
  // libtorch's folder may lie in root's own home.
  if (shell(as_user + kProgram + " selftest --only NoSuchProperty").text.find("cannot load") !=
          std::string::npos ||
      shell(as_user + kProgram + " --version").code != 0) {
    GTEST_SKIP() << "the program cannot be run as another user here";
  }
  for (const Command& command : commands()) {
    const std::string words = filled(command, at("locked/sub"));
    expect_told(shell(as_user + kProgram + " " + words), words, {"Permission denied"});
  }
  fs::permissions(at("locked"), fs::perms::owner_all);
}

}  // namespace
}  // namespace alambic::disk_test
