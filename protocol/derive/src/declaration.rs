//! Reads a declaration: the struct, its fields and their `#[kafka(...)]` attributes.
//!
//! Everything a declaration may get wrong is refused here, at compile time, with the span that is wrong.

use syn::parse::ParseStream;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Ident, Lit, LitInt, LitStr, Result, Token, Type,
};

/// A closed range of versions; `first > last` is no version at all.
#[derive(Clone, Copy, PartialEq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { first: 1, last: 0 };
    pub const ALL: Versions = Versions { first: 0, last: i16::MAX };

    /// Parses Kafka's notation: `none`, `4`, `4-18`, `12+`.
    fn parse(text: &LitStr) -> Result<Self> {
        let value = text.value();
        let number = |part: &str| {
            part.trim().parse::<i16>().map_err(|_| Error::new(text.span(), "expected none, 4, 4-18 or 12+"))
        };
        if value == "none" {
            return Ok(Self::NONE);
        }
        if let Some(first) = value.strip_suffix('+') {
            return Ok(Self { first: number(first)?, last: i16::MAX });
        }
        let (first, last) = value.split_once('-').unwrap_or((&value, &value));
        let versions = Self { first: number(first)?, last: number(last)? };
        if versions.first > versions.last {
            return Err(Error::new(text.span(), "the first version is above the last"));
        }
        Ok(versions)
    }
}

/// The value a field has when nobody sets it.
#[derive(Clone)]
pub enum DefaultValue {
    /// The zero of its type.
    Zero,
    Null,
    Literal(Expr),
}

/// What `#[kafka(...)]` on a struct says.
pub struct Container {
    pub name: Option<LitStr>,
    pub api: Option<LitInt>,
    pub record: Option<LitInt>,
    pub versions: Option<Versions>,
    pub flexible: Versions,
}

/// One field with its schema.
pub struct FieldDeclaration {
    pub ident: Ident,
    pub ty: Type,
    /// `T` of `Option<T>`: the field is nullable in some version.
    pub inner: Option<Type>,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub default: DefaultValue,
    pub ignorable: bool,
    /// False for a field that keeps the old encoding in flexible versions.
    pub flexible: bool,
}

pub fn container(input: &DeriveInput) -> Result<Container> {
    let mut container =
        Container { name: None, api: None, record: None, versions: None, flexible: Versions::NONE };
    each_argument(&input.attrs, |key, input| {
        match key.to_string().as_str() {
            "name" => container.name = Some(value(input)?),
            "api" => container.api = Some(value(input)?),
            "record" => container.record = Some(value(input)?),
            "versions" => container.versions = Some(Versions::parse(&value(input)?)?),
            "flexible" => container.flexible = Versions::parse(&value(input)?)?,
            _ => return Err(Error::new(key.span(), "expected name, api, record, versions or flexible")),
        }
        Ok(())
    })?;
    Ok(container)
}

pub fn fields(input: &DeriveInput) -> Result<Vec<FieldDeclaration>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "only a struct can be a message"));
    };
    data.fields.iter().map(field).collect()
}

fn field(field: &Field) -> Result<FieldDeclaration> {
    let ident = field.ident.clone().ok_or_else(|| Error::new_spanned(field, "fields need names"))?;
    let mut versions = None;
    let mut nullable = Versions::NONE;
    let mut tag: Option<LitInt> = None;
    let mut tagged = None;
    let mut default = DefaultValue::Zero;
    let mut ignorable = false;
    let mut flexible = true;
    each_argument(&field.attrs, |key, input| {
        match key.to_string().as_str() {
            "versions" => versions = Some(Versions::parse(&value(input)?)?),
            "nullable" => nullable = Versions::parse(&value(input)?)?,
            "tag" => tag = Some(value(input)?),
            "tagged" => tagged = Some(Versions::parse(&value(input)?)?),
            "default" => default = default_value(value(input)?),
            "ignorable" => ignorable = true,
            "flexible" => flexible = Versions::parse(&value(input)?)? != Versions::NONE,
            _ => return Err(Error::new(key.span(), "not a property of a field")),
        }
        Ok(())
    })?;
    let versions = versions.ok_or_else(|| Error::new(ident.span(), "a field needs versions = \"...\""))?;
    let inner = option_inner(&field.ty);
    if inner.is_some() != (nullable != Versions::NONE) {
        return Err(Error::new_spanned(&field.ty, "nullable = \"...\" and Option<...> go together"));
    }
    if tag.is_some() != tagged.is_some() || tagged.is_some_and(|tagged| tagged != versions) {
        return Err(Error::new(
            ident.span(),
            "a tagged field needs tag and tagged, tagged being its versions",
        ));
    }
    if matches!(default, DefaultValue::Null) && inner.is_none() {
        return Err(Error::new(ident.span(), "default = null needs Option<...>"));
    }
    let tag = tag.map(|tag| tag.base10_parse()).transpose()?;
    Ok(FieldDeclaration {
        ident,
        ty: field.ty.clone(),
        inner,
        versions,
        nullable,
        tag,
        default,
        ignorable,
        flexible,
    })
}

fn default_value(expression: Expr) -> DefaultValue {
    match &expression {
        Expr::Path(path) if path.path.is_ident("null") => DefaultValue::Null,
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) if number.base10_digits() == "0" => DefaultValue::Zero,
            Lit::Bool(value) if !value.value => DefaultValue::Zero,
            _ => DefaultValue::Literal(expression),
        },
        _ => DefaultValue::Literal(expression),
    }
}

/// `T` if the type is written `Option<T>`.
fn option_inner(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    if segment.ident != "Option" {
        return None;
    }
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        syn::GenericArgument::Type(inner) => Some(inner.clone()),
        _ => None,
    }
}

fn each_argument(
    attributes: &[Attribute],
    mut each: impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("kafka")) {
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().cloned().ok_or_else(|| meta.error("expected a name"))?;
            each(&key, meta.input)
        })?;
    }
    Ok(())
}

fn value<T: syn::parse::Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}
