// alambic COMMAND [--config run.toml] [--key value …]
#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/version.h"
#include "alambic/cli/commands.h"
#include "alambic/cli/completion.h"
#include "alambic/cli/help.h"
#include "alambic/cli/launch_words.h"
#include "alambic/cli/man_pages.h"
#include "alambic/cli/markdown_pages.h"
#include "alambic/cli/run_config.h"
#include "alambic/cli/torch_library.h"
#include "alambic/hub/hub_datasets.h"
#include "alambic/hub/hub_models.h"
#include "alambic/options/outputs.h"
#include "alambic/options/parse.h"

namespace alambic {
namespace {

using Words = std::vector<std::string>;

const Command& find_command(const std::vector<Command>& commands, const std::string& name) {
  Words names;
  for (const Command& command : commands) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  const std::string near = nearest_name(name, names);
  throw input_error("there is no command '{}'", name)
      .with_hint(near.empty() ? "alambic --help lists the commands"
                              : fmt::format("did you mean `alambic {}`?", near));
}

// "tokenizer train" is "tokenizer-train".
Words with_joined_names(const std::vector<Command>& commands, Words words) {
  if (words.size() < 2) return words;
  const std::string joined = words[0] + "-" + words[1];
  const auto is_joined = [&](const Command& command) { return command.name == joined; };
  if (std::ranges::none_of(commands, is_joined)) return words;
  words.erase(words.begin());
  words[0] = joined;
  return words;
}

int run_command(const Command& command, const Words& arguments, CommonFlags& flags) {
  flags = parse_options(command.name, arguments, *command.options);
  if (flags.help) {
    fmt::print("{}", command_help(command.name, command.summary, *command.options));
    return 0;
  }
  fetch_models(*command.options, flags.offline);
  fetch_datasets(*command.options, flags.offline);
  check_outputs(OptionTable(*command.options), flags.config);
  if (command.run != nullptr) return command.run(*command.options);
  return run_torch_command(command.name, *command.options);
}

// `alambic help [--man | --markdown] [COMMAND]`, `alambic help --names`
std::string help_text(const std::vector<Command>& commands, Words words) {
  std::string form;
  if (!words.empty() && words.front().starts_with('-')) {
    form = words.front();
    words.erase(words.begin());
  }
  if (form == "--names") {
    std::string names;
    for (const Command& command : commands) names += command.name + "\n";
    return names;
  }
  if (words.empty()) {
    if (form == "--man") return man_page(commands);
    if (form == "--markdown") return markdown_index(commands);
    return program_help(commands);
  }
  const Command& command = find_command(commands, with_joined_names(commands, words).front());
  if (form == "--man") return man_page(command);
  if (form == "--markdown") return markdown_page(command);
  return command_help(command.name, command.summary, *command.options);
}

int run_program(const Words& given, CommonFlags& flags) {
  const std::vector<Command> commands = all_commands();
  const Words words = with_joined_names(commands, given);
  if (words.empty()) {
    fmt::print(stderr, "{}", program_help(commands));
    return static_cast<int>(Exit::input);
  }
  const std::string& first = words.front();
  const Words rest(words.begin() + 1, words.end());
  if (first == "--version" || first == "version") {
    fmt::print("alambic {}\n", kVersion);
    return 0;
  }
  if (first == "--help" || first == "-h" || first == "help") {
    fmt::print("{}", help_text(commands, rest));
    return 0;
  }
  if (first == "completion") {
    fmt::print("{}", completion_script(rest.empty() ? "" : rest.front(), commands));
    return 0;
  }
  if (first == "run") return run_program(words_of_run(rest), flags);
  if (first.starts_with('-')) {
    throw input_error("expected a command before '{}'", first)
        .with_hint("alambic COMMAND --key value; alambic --help lists the commands");
  }
  const Words arguments = first == "launch" ? words_of_launch(rest) : rest;
  return run_command(find_command(commands, first), arguments, flags);
}

// libtorch reports an allocation that fails as its own exception with this text.
bool is_out_of_memory(const std::string& message) {
  return message.find("can't allocate memory") != std::string::npos ||
         message.find("out of memory") != std::string::npos;
}

int report_full_output() {
  say_error("cannot write the result to standard output", "");
  return static_cast<int>(Exit::environment);
}

int report_out_of_memory(const std::string& message) {
  say_error(message, "a smaller --batch-size or shorter sequences need less");
  return static_cast<int>(Exit::environment);
}

int report_bug(const std::string& message, bool debug) {
  say_error(
      "this is a bug in Alambic: " + (debug ? message : message.substr(0, message.find('\n'))),
      debug ? "" : "--debug shows it in full; please report it with the command line");
  return static_cast<int>(Exit::bug);
}

int run_guarded(const Words& words) {
  CommonFlags flags;
  try {
    return run_program(words, flags);
  } catch (const Error& error) {
    if (error.exit() == Exit::bug) return report_bug(error.what(), flags.debug);
    say_error(error.what(), error.hint());
    return static_cast<int>(error.exit());
  } catch (const std::bad_alloc&) {
    return report_out_of_memory("out of memory");
  } catch (const fs::filesystem_error& error) {
    say_error(path_error(error).what(), "");
    return static_cast<int>(Exit::environment);
  } catch (const std::system_error& error) {  // a thread, a stream
    if (std::ferror(stdout) != 0) return report_full_output();
    say_error(error.what(), "the system or its limits refused something; `ulimit -a` shows them");
    return static_cast<int>(Exit::environment);
  } catch (const std::exception& error) {
    const std::string message = error.what();
    if (!is_out_of_memory(message)) return report_bug(message, flags.debug);
    return report_out_of_memory(message.substr(0, message.find('\n')));
  }
}

}  // namespace
}  // namespace alambic

int main(int argc, char** argv) {
  using namespace alambic;
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is then told as a full disk is
  const int code = run_guarded(Words(argv + 1, argv + argc));
  // A full disk under `> ids.txt` shows here, or in the error of an earlier flush.
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  return written || code != 0 ? code : report_full_output();
}
