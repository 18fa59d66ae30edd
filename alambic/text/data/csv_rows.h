// Tables of text (.csv, .tsv) as rows.
#pragma once

#include <string>
#include <string_view>

#include "alambic/text/data/unpack.h"

namespace alambic {

/// The rows of a table as jsonl, read as pandas, and so `datasets`, reads it: the first line names
/// the columns; a field in quotes may hold separators, line ends and doubled quotes; blank lines
/// are none; fields that a line lacks, and those that pandas takes for missing ("", NA, null, None,
/// …), are null; of two columns of one name the second is NAME.1. Fields are texts, also where
/// pandas makes numbers of a whole column. Input errors name file and line: a line with more fields
/// than columns, a quote that is never closed. `text` must be valid UTF-8.
void write_csv_rows(const std::string& name, std::string_view text, char separator,
                    const TakeBytes& take);

}  // namespace alambic
