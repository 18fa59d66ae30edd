#include "alambic/cli/run_config.h"

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/files.h"
#include "alambic/report/run_files.h"

namespace alambic {

std::vector<std::string> words_of_run(const std::vector<std::string>& words) {
  if (words.empty() || words.front().starts_with('-')) {
    throw input_error("alambic run needs a config.toml, or the folder of a run")
        .with_hint("alambic run run/config.toml --out another_run");
  }
  fs::path file = words.front();
  if (is_folder(file)) file /= run_files::config;
  const std::string text = read_file(file);
  const std::string line = text.substr(0, text.find('\n'));
  const std::string begin = "# alambic ", end = " --config config.toml";
  if (!line.starts_with(begin) || !line.ends_with(end) ||
      line.size() <= begin.size() + end.size()) {
    throw input_error(
        "{}: its first line should name the command, \"{}COMMAND{}\", found \"{:.60}\"",
        file.string(), begin, end, line)
        .with_hint("alambic COMMAND --config FILE takes any file of options");
  }
  std::vector<std::string> run = {
      line.substr(begin.size(), line.size() - begin.size() - end.size()), "--config",
      file.string()};
  run.insert(run.end(), words.begin() + 1, words.end());
  return run;
}

}  // namespace alambic
