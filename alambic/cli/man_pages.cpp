#include "alambic/cli/man_pages.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "alambic/base/utf8.h"
#include "alambic/base/version.h"
#include "alambic/cli/option_text.h"
#include "alambic/options/common_options.h"

namespace alambic {
namespace {

// Text as roff: a plain "-" would be set as a hyphen, which cannot be pasted into a shell, a line
// that begins with a dot is a request, and what is not ASCII is read byte by byte.
std::string roff(const std::string& text) {
  std::string escaped;
  for (size_t place = 0; place < text.size();) {
    const char32_t code = next_code_point(text, place);
    if (code > 0x7e) {
      escaped += fmt::format("\\[u{:04X}]", static_cast<uint32_t>(code));
      continue;
    }
    const char c = static_cast<char>(code);
    if ((c == '.' || c == '\'') && (escaped.empty() || escaped.back() == '\n')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else if (c == '\'') {
      escaped += "\\(aq";
    } else if (c == '`') {
      escaped += "\\(ga";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::string head(const std::string& name, const std::string& summary) {
  return fmt::format(
      ".TH {} 1 \"\" \"alambic {}\" \"Alambic\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n",
      roff(upper(name)), kVersion, roff(name), roff(summary));
}

std::string option(const std::string& name, const std::string& placeholder,
                   const std::string& meaning) {
  const std::string value = placeholder.empty() ? "" : " \\fI" + roff(placeholder) + "\\fR";
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff("--" + name), value, roff(meaning));
}

std::string exit_status() {
  std::string text = ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_codes()) {
    text += fmt::format(".TP\n{}\n{}\n", code, roff(meaning));
  }
  return text;
}

}  // namespace

std::string man_page(const std::vector<Command>& commands) {
  std::string text = head("alambic", "train and distill language models");
  text +=
      "\\fBalambic\\fR \\fICOMMAND\\fR [\\fB\\-\\-config\\fR \\fIrun.toml\\fR] [\\fB\\-\\-key\\fR "
      "\\fIvalue\\fR ...]\n"
      ".SH DESCRIPTION\nEvery command has a page of its own, as alambic\\-distill(1).\n"
      "A model is a folder, a GGUF file, or org/name[@revision] of the Hugging Face hub.\n";
  std::string group;
  for (const Command& command : commands) {
    if (command.group != group) text += fmt::format(".SS {}\n", roff(command.group));
    group = command.group;
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(command.name), roff(command.summary));
  }
  text += ".SH OPTIONS OF EVERY COMMAND\n";
  for (const CommonOption& one : common_options()) {
    text += option(one.name, one.placeholder, one.help);
  }
  return text + exit_status();
}

std::string man_page(const Command& command) {
  const OptionTable table(*command.options);
  std::string text = head("alambic-" + command.name, command.summary);
  text += fmt::format("\\fBalambic {}\\fR {}\n", roff(command.name), roff(usage_of(table)));
  text +=
      ".SH DESCRIPTION\nA key of the TOML file and an option of the command line are the same "
      "thing; the command\nline wins.\n.SH OPTIONS\n";
  std::string group;
  for (const OptionEntry& entry : table.entries()) {
    if (entry.group != group) text += fmt::format(".SS {}\n", roff(entry.group));
    group = entry.group;
    text += option(entry.name, placeholder_of(entry), entry.help + facts_of(entry));
  }
  text += ".SS Every command\n";
  for (const CommonOption& one : common_options()) {
    text += option(one.name, one.placeholder, one.help);
  }
  return text + exit_status() + ".SH SEE ALSO\nalambic(1)\n";
}

}  // namespace alambic
