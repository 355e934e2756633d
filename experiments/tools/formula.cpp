#include "tools/formula.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

constexpr int kDeepest = 8;  // texts within texts

std::string known(const Fields& fields) {
  std::string names;
  for (const auto& [name, value] : fields) names += cat(names.empty() ? "" : ", ", name);
  return names;
}

/// expression = term { (+|-) term }, term = factor { (*|/) factor },
/// factor = number | name | function(expression) | (expression) | -factor.
class Parser {
 public:
  Parser(std::string_view text, const Fields& fields) : text_(text), fields_(fields) {}

  double parse() {
    const double value = expression();
    if (next() != '\0') fail_at(text_[at_]);
    if (!std::isfinite(value)) fail("its value is not finite");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const { throw Error(cat("the formula \"", text_, "\": ", why)); }

  [[noreturn]] void fail_at(char c) const {
    fail(cat("'", c, "' is not understood here; there are numbers, names, + - * / ( ) and sqrt, sin, cos, abs"));
  }

  /// The next character that is no space; 0 at the end.
  char next() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char expected) {
    if (next() != expected) return false;
    ++at_;
    return true;
  }

  double expression() {
    double value = term();
    for (;;) {
      if (take('+')) {
        value += term();
      } else if (take('-')) {
        value -= term();
      } else {
        return value;
      }
    }
  }

  double term() {
    double value = factor();
    for (;;) {
      if (take('*')) {
        value *= factor();
      } else if (take('/')) {
        value /= factor();
      } else {
        return value;
      }
    }
  }

  double factor() {
    const char c = next();
    if (take('-')) return -factor();
    if (c == '(') return bracket();
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) return name();
    double number = 0;
    const auto [end, failure] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (failure != std::errc() && c == '\0') fail("it ends too soon");
    if (failure != std::errc()) fail_at(c);
    at_ = static_cast<std::size_t>(end - text_.data());
    return number;
  }

  double bracket() {
    if (!take('(')) fail("a bracket is missing");
    const double value = expression();
    if (!take(')')) fail("a bracket is not closed");
    return value;
  }

  double name() {
    const std::size_t from = at_;
    const auto belongs = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
    };
    while (at_ < text_.size() && belongs(text_[at_])) ++at_;
    const std::string_view word = text_.substr(from, at_ - from);
    if (next() == '(') return function(word);
    const auto found = fields_.find(word);
    if (found == fields_.end()) fail(cat("there is no ", word, "; there are ", known(fields_)));
    const double* number = std::get_if<double>(&found->second);
    if (number == nullptr) fail(cat(word, " is a text, not a number"));
    return *number;
  }

  double function(std::string_view word) {
    const double argument = bracket();
    if (word == "sqrt") return std::sqrt(argument);
    if (word == "sin") return std::sin(argument);
    if (word == "cos") return std::cos(argument);
    if (word == "abs") return std::abs(argument);
    fail(cat("there is no function ", word, "; there are sqrt, sin, cos, abs"));
  }

  std::string_view text_;
  const Fields& fields_;
  std::size_t at_ = 0;
};

std::string digits(double value) {
  std::array<char, 32> text{};
  const auto [end, failure] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

std::string fill_in(std::string_view text, const Fields& fields, int depth) {
  if (depth > kDeepest) throw Error(cat("the text \"", text, "\" is part of itself"));
  std::string filled;
  std::size_t from = 0;
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', from)) {
    filled += text.substr(from, open - from);
    const std::size_t close = text.find_first_of("{}", open + 1);
    if (close == std::string_view::npos || text[close] == '{')
      throw Error(cat("a brace is not closed: ", text.substr(open, 40)));
    const std::string_view formula = text.substr(open + 1, close - open - 1);
    const auto named = fields.find(formula);
    const bool is_text = named != fields.end() && std::holds_alternative<std::string>(named->second);
    filled +=
        is_text ? fill_in(std::get<std::string>(named->second), fields, depth + 1) : digits(evaluate(formula, fields));
    from = close + 1;
  }
  return filled.append(text.substr(from));
}

}  // namespace

double evaluate(std::string_view formula, const Fields& fields) {
  return Parser(formula, fields).parse();
}

std::string fill_in(std::string_view text, const Fields& fields) {
  return fill_in(text, fields, 0);
}

}  // namespace fleet::tools
