// Arithmetic that data are written in: "hl/2 - 0.01" over the numbers of a tool or an object, and texts with such
// formulas in braces.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>

namespace fleet::tools {

/// What names in formulas stand for: numbers, or texts to be filled in.
using Fields = std::map<std::string, std::variant<double, std::string>, std::less<>>;

/// The value of sums, differences, products, quotients, brackets, and the functions sqrt, sin, cos, abs of numbers and
/// names. Error naming what is not understood, or is no number, and what names there are.
[[nodiscard]] double evaluate(std::string_view formula, const Fields& fields);

/// The text with every {formula} replaced by its value, in as many digits as read back as the same number, and every
/// {name} of a text by that text, filled in. Error as evaluate(), for a brace without its twin, and for texts that go
/// round in a circle.
[[nodiscard]] std::string fill_in(std::string_view text, const Fields& fields);

}  // namespace fleet::tools
