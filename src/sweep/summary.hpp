// The outcome of a sweep as a table for the terminal.
#pragma once

#include <filesystem>
#include <ostream>

namespace fleet {

/// Prints, for a results file, the final test score of every method (columns) in every setting (rows): mean and
/// standard deviation over seeds. The score is the merged policy's, or the robots' mean where nothing is merged.
void print_summary(std::ostream& out, const std::filesystem::path& results);

}  // namespace fleet
