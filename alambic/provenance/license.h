// The license that a model or a data set comes with, as far as its files tell.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

struct LicenseFacts {
  enum class Source {
    none,    ///< nothing in the folder speaks of one
    text,    ///< a LICENSE file whose text is known
    card,    ///< the model card alone names it
    other,   ///< a LICENSE file with another text than any that is known
    record,  ///< a record of ours: the folder was made from what it lists
  };
  Source source = Source::none;
  std::string id;      ///< "apache-2.0"; "" where it is not known
  std::string sha256;  ///< of the LICENSE file; "" without one
  std::string file;    ///< its name
  std::string card;    ///< what the card says; "": nothing
  std::string words;   ///< plain words of the file
};

/// A folder's license: by the text of its LICENSE file before what its card says, since a card can
/// be wrong. Of a single file the folder around it is asked where a card there names a license.
LicenseFacts license_of(const fs::path& model);

/// A text as it is compared: letters and digits in lower case, one space between words, so that
/// line breaks and marks do not count and words do.
std::string plain_words(std::string_view text);

/// License of a text; "": not one that is known.
std::string license_of_text(std::string_view text);

/// Facts as a record has them.
nlohmann::json license_record(const LicenseFacts& facts);

std::string source_name(LicenseFacts::Source source);

}  // namespace alambic
