//! The numbers of a figure: lines `key: value`, an empty line, and CSV.

/// The numbers of a figure.
#[derive(Debug, PartialEq)]
pub struct Table {
    pub title: String,
    /// Unit of all numbers.
    pub unit: String,
    /// The command that measures them.
    pub command: String,
    /// Names of the columns with numbers. Each row has a bar for each of them.
    pub series: Vec<String>,
    pub rows: Vec<Row>,
}

/// A name, and a number for each series; `None` where nothing was measured.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub name: String,
    pub values: Vec<Option<f64>>,
}

impl Table {
    /// Reads a table. The error says which line is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (head, body) =
            text.split_once("\n\n").ok_or("an empty line ends the lines before the numbers")?;
        let of = |key: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(found, _)| *found == key).map(|(_, value)| value.to_owned());
            found.ok_or_else(|| format!("a line begins with `{key}: `"))
        };
        let mut lines = body.lines();
        let names = lines.next().ok_or("the first line after the empty one names the columns")?;
        let series: Vec<String> = names.split(',').skip(1).map(str::to_owned).collect();
        let rows = lines.map(|line| Row::parse(line, series.len())).collect::<Result<_, _>>()?;
        Ok(Self { title: of("title")?, unit: of("unit")?, command: of("command")?, series, rows })
    }
}

impl Row {
    fn parse(line: &str, series: usize) -> Result<Self, String> {
        let mut cells = line.split(',');
        let name = cells.next().unwrap_or_default().to_owned();
        let number = |cell: &str| match cell {
            "" => Ok(None),
            _ => cell.parse().map(Some).map_err(|_| format!("`{cell}` in `{line}` is a number")),
        };
        let values: Vec<_> = cells.map(number).collect::<Result<_, _>>()?;
        if values.len() != series {
            return Err(format!("`{line}` has {} numbers, and there are {series} columns", values.len()));
        }
        Ok(Self { name, values })
    }
}

#[test]
fn a_table_is_read() {
    let text = "title: CPU\nunit: us\ncommand: cargo bench\n\nwhere,before,after\nTLS,5,4.5\nHTTP,,3\n";
    let row = |name: &str, values: [Option<f64>; 2]| Row { name: name.to_owned(), values: values.to_vec() };
    let expected = Table {
        title: "CPU".to_owned(),
        unit: "us".to_owned(),
        command: "cargo bench".to_owned(),
        series: vec!["before".to_owned(), "after".to_owned()],
        rows: vec![row("TLS", [Some(5.0), Some(4.5)]), row("HTTP", [None, Some(3.0)])],
    };
    assert_eq!(Table::parse(text), Ok(expected));
}

#[test]
fn a_table_with_a_wrong_line_is_refused() {
    let head = "title: t\nunit: u\ncommand: c\n";
    for (text, why) in [
        (format!("{head}a,b\n"), "an empty line"),
        (format!("{head}\n"), "names the columns"),
        (format!("{head}\na,b\nx,y\n"), "`y` in `x,y` is a number"),
        (format!("{head}\na,b\nx,1,2\n"), "2 numbers, and there are 1 columns"),
        ("title: t\nunit: u\n\na,b\n".to_owned(), "`command: `"),
    ] {
        let error = Table::parse(&text).expect_err("refused");
        assert!(error.contains(why), "{error}");
    }
}
