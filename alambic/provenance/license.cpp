#include "alambic/provenance/license.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"
#include "alambic/provenance/machine.h"

namespace alambic {
namespace {

// Texts that are the same for everybody but for a name and a year. `words` is SHA-256 of the plain
// words from `begin` to `end`, both included.
struct KnownText {
  const char* id;
  const char* begin;
  const char* end;
  const char* words;
};

constexpr std::array known_texts = {
    KnownText{"apache-2.0", "apache license version 2 0 january 2004",
              "end of terms and conditions",
              "f45538b138cf9aea39fa205de037a0bede8305e68281650e7ab809a8b3ebb2f0"},
    KnownText{"mit", "permission is hereby granted free of charge",
              "or the use or other dealings in the software",
              "0cf21bdfd1964a97a8615e128534845826afbc887edc95aa5c925cbf64386b5c"},
};

constexpr uint64_t longest_text = 1 << 20;

// "license: apache-2.0" of the front matter between two lines of dashes.
std::string card_license(const fs::path& folder) {
  const fs::path card = folder / "README.md";
  if (!is_file(card) || file_bytes(card) > longest_text) return "";
  const std::string text = read_file(card);
  if (!text.starts_with("---\n")) return "";
  const std::string front = text.substr(0, text.find("\n---", 4));
  std::string license, name;
  for (size_t begin = 0; begin < front.size();) {
    const size_t end = std::min(front.find('\n', begin), front.size());
    const std::string line = front.substr(begin, end - begin);
    if (line.starts_with("license: ")) license = line.substr(9);
    if (line.starts_with("license_name: ")) name = line.substr(14);
    begin = end + 1;
  }
  if (license == "other" && !name.empty()) license = name;
  std::erase_if(license, [](char c) { return c == '"' || c == '\'' || c == ' ' || c == '\r'; });
  return license;
}

fs::path license_file(const fs::path& folder) {
  for (const char* name : {"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING"}) {
    if (is_file(folder / name)) return folder / name;
  }
  return {};
}

}  // namespace

std::string plain_words(std::string_view text) {
  std::string words;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      words += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!words.empty() && words.back() != ' ') {
      words += ' ';
    }
  }
  if (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

std::string license_of_text(std::string_view text) {
  const std::string words = plain_words(text);
  for (const KnownText& known : known_texts) {
    const size_t begin = words.find(known.begin);
    const size_t last = begin == std::string::npos ? begin : words.find(known.end, begin);
    if (last == std::string::npos) continue;
    const std::string_view end = known.end;
    if (sha256(words.substr(begin, last + end.size() - begin)) == known.words) return known.id;
  }
  return "";
}

LicenseFacts license_of(const fs::path& model) {
  const fs::path folder = is_folder(model) ? model : model.parent_path();
  LicenseFacts facts{.card = card_license(folder)};
  // A LICENSE beside a single file may be that of a whole project; a card beside it is its own.
  if (!is_folder(model) && facts.card.empty()) return facts;
  const fs::path file = license_file(folder);
  if (!file.empty()) {
    facts.file = file.filename().string();
    facts.sha256 = sha256_file(file);
    if (file_bytes(file) <= longest_text) {
      const std::string text = read_file(file);
      facts.id = license_of_text(text);
      facts.words = plain_words(text);
    }
    facts.source = facts.id.empty() ? LicenseFacts::Source::other : LicenseFacts::Source::text;
  } else if (!facts.card.empty()) {
    facts.id = facts.card;
    facts.source = LicenseFacts::Source::card;
  } else if (is_file(folder / "provenance" / "record.json")) {
    facts.source = LicenseFacts::Source::record;
  }
  return facts;
}

nlohmann::json license_record(const LicenseFacts& facts) {
  return {{"id",
           facts.id.empty() ? unknown_fact("no license that is known") : nlohmann::json(facts.id)},
          {"told_by", source_name(facts.source)},
          {"file", facts.file},
          {"sha256", facts.sha256},
          {"card", facts.card}};
}

std::string source_name(LicenseFacts::Source source) {
  switch (source) {
    case LicenseFacts::Source::none:
      return "none";
    case LicenseFacts::Source::text:
      return "text";
    case LicenseFacts::Source::card:
      return "card";
    case LicenseFacts::Source::other:
      return "unknown text";
    case LicenseFacts::Source::record:
      return "record";
  }
  throw bug("a source of no kind");
}

}  // namespace alambic
