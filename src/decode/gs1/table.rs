//! GS1's rules for each application identifier: one row each, or one row for a run of equal ones.
//!
//! The facts are those of GS1's Barcode Syntax Dictionary, which `tests/dictionary.rs` compares row
//! by row.

use std::fmt;

use super::lint::Lint::{
    self, CouponCode, CouponPosOffer, Csum, CsumAlpha, GcpPos1, GcpPos2, HasNonDigit, Hh, Hhmi,
    Hyphen, Iban, ImporterIdx, Iso3166, Iso3166Alpha2, Iso3166Or999, Iso4217, Iso5218, Latitude,
    Longitude, MediaType, Mi, NoZeroPrefix, NonZero, PackageType, Pcenc, PieceOfTotal,
    PosInSeqSlash, Ss, Winding, YesNo, Yymmd0, Yymmdd, Yyyymmdd, Zero,
};

/// The characters that a part of a value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Digits,
    /// The 82 characters of GS1 General Specifications figure 7.11-1.
    Set82,
    /// The 39 characters of figure 7.11-2: capitals, digits, `#`, `-` and `/`.
    Set39,
    /// Base64 for file names and URIs, figure 7.11-3.
    Base64Url,
}

/// A part of a value. Only the last part may have a length that varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub charset: Charset,
    pub min: usize,
    pub max: usize,
    pub optional: bool,
    pub lints: &'static [Lint],
}

pub type Format = &'static [Part];

/// The rules for one application identifier, or for a run of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// As in `01`, or a run as in `3100-3105`.
    pub ai: &'static str,
    pub format: Format,
    pub title: &'static str,
    /// Whether the length is predefined, so that no FNC1 has to follow.
    pub predefined: bool,
    /// Whether it may be in the query of a Digital Link.
    pub attribute: bool,
    /// One of these groups is required with it: `01+21,03+21` is 01 with 21, or 03 with 21; `n` is
    /// any digit.
    pub needs: &'static str,
    /// The application identifiers that exclude this one.
    pub excludes: &'static str,
    /// The qualifiers, in order, if it may be a Digital Link's primary key; `|` separates
    /// alternatives.
    pub key: Option<&'static str>,
}

impl Spec {
    /// The row for an application identifier of two to four digits.
    #[must_use]
    pub fn of(ai: &str) -> Option<&'static Self> {
        TABLE.iter().find(|spec| {
            let (first, last) = spec.range();
            ai.len() == first.len() && (first..=last).contains(&ai)
        })
    }

    /// How many digits the application identifiers have that begin with these two.
    pub(super) fn ai_length(begin: &str) -> Option<usize> {
        let within = |spec: &&Self| {
            let (first, last) = spec.range();
            first.get(..2) <= Some(begin) && Some(begin) <= last.get(..2)
        };
        TABLE.iter().find(within).map(|spec| spec.range().0.len())
    }

    /// The first and the last application identifier of the row.
    #[must_use]
    pub fn range(&self) -> (&'static str, &'static str) {
        self.ai.split_once('-').unwrap_or((self.ai, self.ai))
    }

    /// The length of a value whose length is predefined.
    pub(super) fn predefined_length(&self) -> Option<usize> {
        self.predefined
            .then(|| self.format.iter().map(|part| part.max).sum())
    }

    const fn needs(mut self, groups: &'static str) -> Self {
        self.needs = groups;
        self
    }

    const fn excludes(mut self, patterns: &'static str) -> Self {
        self.excludes = patterns;
        self
    }

    const fn key(mut self, qualifiers: &'static str) -> Self {
        self.key = Some(qualifiers);
        self
    }
}

impl Part {
    const fn new(charset: Charset, min: usize, max: usize) -> Self {
        Self {
            charset,
            min,
            max,
            optional: false,
            lints: &[],
        }
    }

    const fn lint(mut self, lints: &'static [Lint]) -> Self {
        self.lints = lints;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min < self.max {
            write!(f, "{} to ", self.min)?;
        }
        let of = match self.charset {
            Charset::Digits => "digits",
            Charset::Set82 => "characters of GS1's set 82",
            Charset::Set39 => "characters of GS1's set 39",
            Charset::Base64Url => "characters of base64url",
        };
        let optional = if self.optional { " (optional)" } else { "" };
        write!(f, "{} {of}{optional}", self.max)
    }
}

const fn n(length: usize) -> Part {
    Part::new(Charset::Digits, length, length)
}

const fn n_to(max: usize) -> Part {
    Part::new(Charset::Digits, 1, max)
}

const fn x(length: usize) -> Part {
    Part::new(Charset::Set82, length, length)
}

const fn x_to(max: usize) -> Part {
    Part::new(Charset::Set82, 1, max)
}

const fn y_to(max: usize) -> Part {
    Part::new(Charset::Set39, 1, max)
}

const fn z_to(max: usize) -> Part {
    Part::new(Charset::Base64Url, 1, max)
}

const fn ai(ai: &'static str, format: Format, title: &'static str) -> Spec {
    Spec {
        ai,
        format,
        title,
        predefined: false,
        attribute: false,
        needs: "",
        excludes: "",
        key: None,
    }
}

const fn attribute(ai_: &'static str, format: Format, title: &'static str) -> Spec {
    Spec {
        attribute: true,
        ..ai(ai_, format, title)
    }
}

const fn fixed(ai_: &'static str, format: Format, title: &'static str) -> Spec {
    Spec {
        predefined: true,
        ..ai(ai_, format, title)
    }
}

const fn fixed_attribute(ai_: &'static str, format: Format, title: &'static str) -> Spec {
    Spec {
        attribute: true,
        ..fixed(ai_, format, title)
    }
}

/// A measure: the last digit of the identifier is the number of decimals among the six digits.
const fn measure(
    ai: &'static str,
    title: &'static str,
    needs: &'static str,
    itself: &'static str,
) -> Spec {
    fixed_attribute(ai, N6, title).needs(needs).excludes(itself)
}

const SSCC: Format = &[n(18).lint(&[Csum, GcpPos2])];
const GTIN: Format = &[n(14).lint(&[Csum, GcpPos2])];
const GLN: Format = &[n(13).lint(&[Csum, GcpPos1])];
const GSRN: Format = &[n(18).lint(&[Csum, GcpPos1])];
const DAY_OR_MONTH: Format = &[n(6).lint(&[Yymmd0])];
const DAY: Format = &[n(6).lint(&[Yymmdd])];
const N6: Format = &[n(6)];
const N4: Format = &[n(4)];
const X_20: Format = &[x_to(20)];
const X_30: Format = &[x_to(30)];
const X_28: Format = &[x_to(28)];
const X_90: Format = &[x_to(90)];
const X_70: Format = &[x_to(70)];
const ADDRESS_35: Format = &[x_to(35).lint(&[Pcenc])];
const ADDRESS_70: Format = &[x_to(70).lint(&[Pcenc])];
const NAME_40: Format = &[x_to(40).lint(&[Pcenc])];
const N_8: Format = &[n_to(8)];
const AMOUNT: Format = &[n_to(15)];
const CURRENCY_AMOUNT: Format = &[n(3).lint(&[Iso4217]), n_to(15)];
const COUNTRY: Format = &[n(3).lint(&[Iso3166])];
const COUNTRY_ALPHA_2: Format = &[x(2).lint(&[Iso3166Alpha2])];
const YES_NO: Format = &[n(1).lint(&[YesNo])];
const DAY_OR_MONTH_TIME: Format = &[n(6).lint(&[Yymmd0]), n(4).lint(&[Hhmi])];
const TEMPERATURE: Format = &[n(6), x(1).lint(&[Hyphen]).optional()];
const PROCESSOR: Format = &[n(3).lint(&[Iso3166Or999]), x_to(27)];
const CERTIFICATE: Format = &[x(2), x_to(28)];
const ITIP: Format = &[n(14).lint(&[Csum, GcpPos2]), n(4).lint(&[PieceOfTotal])];
const X_3: Format = &[x_to(3)];
const X_25: Format = &[x_to(25)];
const COUNTRIES: Format = &[
    n(3).lint(&[Iso3166]),
    n(3).lint(&[Iso3166]).optional(),
    n(3).lint(&[Iso3166]).optional(),
    n(3).lint(&[Iso3166]).optional(),
    n(3).lint(&[Iso3166]).optional(),
];
const DAY_TIME: Format = &[n(6).lint(&[Yymmdd]), n(4).lint(&[Hhmi])];
const X_10: Format = &[x_to(10)];

/// Most attributes of an item require one of these: a trade item, its content, or a piece of it.
const ITEM: &str = "01,02,03,8006,8026";
const GOODS: &str = "01,02,03";
const TRADE: &str = "01,02";
const LOGISTIC: &str = "00,01";

/// Every application identifier, in the order of their digits.
#[rustfmt::skip]
pub const TABLE: &[Spec] = &[
    fixed_attribute("00", SSCC, "SSCC").key(""),
    fixed_attribute("01", GTIN, "GTIN").excludes("255,37").key("22,10,21|235"),
    fixed_attribute("02", GTIN, "CONTENT").excludes("01,03").needs("37"),
    fixed("03", GTIN, "MTO GTIN").excludes("01,02,37,235"),
    attribute("10", X_20, "BATCH/LOT").needs(ITEM),
    fixed_attribute("11", DAY_OR_MONTH, "PROD DATE").needs(ITEM),
    fixed_attribute("12", DAY_OR_MONTH, "DUE DATE").needs("8020"),
    fixed_attribute("13", DAY_OR_MONTH, "PACK DATE").needs(ITEM),
    fixed_attribute("15", DAY_OR_MONTH, "BEST BEFORE or BEST BY").needs(ITEM),
    fixed_attribute("16", DAY_OR_MONTH, "SELL BY").needs(ITEM),
    fixed_attribute("17", DAY_OR_MONTH, "USE BY or EXPIRY").needs("01,02,03,255,8006,8026"),
    fixed_attribute("20", &[n(2)], "VARIANT").needs(ITEM),
    ai("21", X_20, "SERIAL").needs("01,03,8006").excludes("235"),
    ai("22", X_20, "CPV").needs("01"),
    ai("235", X_28, "TPX").needs("01"),
    attribute("240", X_30, "ADDITIONAL ID").needs(ITEM),
    attribute("241", X_30, "CUST. PART No.").needs(ITEM),
    attribute("242", &[n_to(6)], "MTO VARIANT").needs("01,02,8006,8026"),
    attribute("243", X_20, "PCN").needs("01,03"),
    attribute("250", X_30, "SECONDARY SERIAL").needs("01+21,03+21,8006+21"),
    attribute("251", X_30, "REF. TO SOURCE").needs("01,03,8006"),
    attribute("253", &[n(13).lint(&[Csum, GcpPos1]), x_to(17).optional()], "GDTI").key(""),
    ai("254", X_20, "GLN EXTENSION COMPONENT").needs("414"),
    attribute("255", &[n(13).lint(&[Csum, GcpPos1]), n_to(12).optional()], "GCN").key("").excludes("01,02,415,8006,8020,8026"),
    attribute("30", N_8, "VAR. COUNT").needs(TRADE),
    measure("3100-3105", "NET WEIGHT (kg)", TRADE, "310n"),
    measure("3110-3115", "LENGTH (m)", TRADE, "311n"),
    measure("3120-3125", "WIDTH (m)", TRADE, "312n"),
    measure("3130-3135", "HEIGHT (m)", TRADE, "313n"),
    measure("3140-3145", "AREA (m²)", TRADE, "314n"),
    measure("3150-3155", "NET VOLUME (l)", TRADE, "315n"),
    measure("3160-3165", "NET VOLUME (m³)", TRADE, "316n"),
    measure("3200-3205", "NET WEIGHT (lb)", TRADE, "320n"),
    measure("3210-3215", "LENGTH (in)", TRADE, "321n"),
    measure("3220-3225", "LENGTH (ft)", TRADE, "322n"),
    measure("3230-3235", "LENGTH (yd)", TRADE, "323n"),
    measure("3240-3245", "WIDTH (in)", TRADE, "324n"),
    measure("3250-3255", "WIDTH (ft)", TRADE, "325n"),
    measure("3260-3265", "WIDTH (yd)", TRADE, "326n"),
    measure("3270-3275", "HEIGHT (in)", TRADE, "327n"),
    measure("3280-3285", "HEIGHT (ft)", TRADE, "328n"),
    measure("3290-3295", "HEIGHT (yd)", TRADE, "329n"),
    measure("3300-3305", "GROSS WEIGHT (kg)", LOGISTIC, "330n"),
    measure("3310-3315", "LENGTH (m), log", LOGISTIC, "331n"),
    measure("3320-3325", "WIDTH (m), log", LOGISTIC, "332n"),
    measure("3330-3335", "HEIGHT (m), log", LOGISTIC, "333n"),
    measure("3340-3345", "AREA (m²), log", LOGISTIC, "334n"),
    measure("3350-3355", "VOLUME (l), log", LOGISTIC, "335n"),
    measure("3360-3365", "VOLUME (m³), log", LOGISTIC, "336n"),
    measure("3370-3375", "KG PER m²", "01", "337n"),
    measure("3400-3405", "GROSS WEIGHT (lb)", LOGISTIC, "340n"),
    measure("3410-3415", "LENGTH (in), log", LOGISTIC, "341n"),
    measure("3420-3425", "LENGTH (ft), log", LOGISTIC, "342n"),
    measure("3430-3435", "LENGTH (yd), log", LOGISTIC, "343n"),
    measure("3440-3445", "WIDTH (in), log", LOGISTIC, "344n"),
    measure("3450-3455", "WIDTH (ft), log", LOGISTIC, "345n"),
    measure("3460-3465", "WIDTH (yd), log", LOGISTIC, "346n"),
    measure("3470-3475", "HEIGHT (in), log", LOGISTIC, "347n"),
    measure("3480-3485", "HEIGHT (ft), log", LOGISTIC, "348n"),
    measure("3490-3495", "HEIGHT (yd), log", LOGISTIC, "349n"),
    measure("3500-3505", "AREA (in²)", TRADE, "350n"),
    measure("3510-3515", "AREA (ft²)", TRADE, "351n"),
    measure("3520-3525", "AREA (yd²)", TRADE, "352n"),
    measure("3530-3535", "AREA (in²), log", LOGISTIC, "353n"),
    measure("3540-3545", "AREA (ft²), log", LOGISTIC, "354n"),
    measure("3550-3555", "AREA (yd²), log", LOGISTIC, "355n"),
    measure("3560-3565", "NET WEIGHT (tr oz)", TRADE, "356n"),
    measure("3570-3575", "NET VOLUME (oz)", TRADE, "357n"),
    measure("3600-3605", "NET VOLUME (qt (US))", TRADE, "360n"),
    measure("3610-3615", "NET VOLUME (gal.)", TRADE, "361n"),
    measure("3620-3625", "VOLUME (qt (US)), log", LOGISTIC, "362n"),
    measure("3630-3635", "VOLUME (gal (US)), log", LOGISTIC, "363n"),
    measure("3640-3645", "NET VOLUME (in³)", TRADE, "364n"),
    measure("3650-3655", "NET VOLUME (ft³)", TRADE, "365n"),
    measure("3660-3665", "NET VOLUME (yd³)", TRADE, "366n"),
    measure("3670-3675", "VOLUME (in³), log", LOGISTIC, "367n"),
    measure("3680-3685", "VOLUME (ft³), log", LOGISTIC, "368n"),
    measure("3690-3695", "VOLUME (yd³), log", LOGISTIC, "369n"),
    attribute("37", N_8, "COUNT").needs("00+02,00+8026"),
    attribute("3900-3909", AMOUNT, "AMOUNT").needs("255,8020").excludes("390n,391n,394n,8111"),
    attribute("3910-3919", CURRENCY_AMOUNT, "AMOUNT").needs("8020").excludes("391n"),
    attribute("3920-3929", AMOUNT, "PRICE").needs("01+30,01+31nn,01+32nn,01+35nn,01+36nn").excludes("392n,393n"),
    attribute("3930-3939", CURRENCY_AMOUNT, "PRICE").needs("30,31nn,32nn,35nn,36nn").excludes("393n"),
    attribute("3940-3943", N4, "PRCNT OFF").needs("255").excludes("394n,8111"),
    attribute("3950-3955", N6, "PRICE/UoM").needs("30,31nn,32nn,35nn,36nn").excludes("392n,393n,395n,8005"),
    attribute("400", X_30, "ORDER NUMBER"),
    attribute("401", &[x_to(30).lint(&[GcpPos1])], "GINC").key(""),
    attribute("402", &[n(17).lint(&[Csum, GcpPos1])], "GSIN").key(""),
    attribute("403", X_30, "ROUTE").needs("00"),
    fixed_attribute("410", GLN, "SHIP TO LOC"),
    fixed_attribute("411", GLN, "BILL TO"),
    fixed_attribute("412", GLN, "PURCHASE FROM"),
    fixed_attribute("413", GLN, "SHIP FOR LOC"),
    fixed_attribute("414", GLN, "LOC No.").key("254|7040"),
    fixed_attribute("415", GLN, "PAY TO").needs("8020").key("8020"),
    fixed_attribute("416", GLN, "PROD/SERV LOC"),
    fixed_attribute("417", GLN, "PARTY").key("7040"),
    attribute("420", X_20, "SHIP TO POST").excludes("421"),
    attribute("421", &[n(3).lint(&[Iso3166]), x_to(9)], "SHIP TO POST").excludes("4307"),
    attribute("422", COUNTRY, "ORIGIN").needs(ITEM).excludes("426"),
    attribute("423", COUNTRIES, "COUNTRY - INITIAL PROCESS").needs(GOODS).excludes("426"),
    attribute("424", COUNTRY, "COUNTRY - PROCESS").needs(GOODS).excludes("426"),
    attribute("425", COUNTRIES, "COUNTRY - DISASSEMBLY").needs(GOODS).excludes("426"),
    attribute("426", COUNTRY, "COUNTRY - FULL PROCESS").needs(GOODS),
    attribute("427", X_3, "ORIGIN SUBDIVISION").needs("01+422,02+422,03+422"),
    attribute("4300", ADDRESS_35, "SHIP TO COMP").needs("00"),
    attribute("4301", ADDRESS_35, "SHIP TO NAME").needs("00"),
    attribute("4302", ADDRESS_70, "SHIP TO ADD1").needs("00"),
    attribute("4303", ADDRESS_70, "SHIP TO ADD2").needs("4302"),
    attribute("4304", ADDRESS_70, "SHIP TO SUB").needs("00"),
    attribute("4305", ADDRESS_70, "SHIP TO LOC").needs("00"),
    attribute("4306", ADDRESS_70, "SHIP TO REG").needs("00"),
    attribute("4307", COUNTRY_ALPHA_2, "SHIP TO COUNTRY").needs("00"),
    attribute("4308", X_30, "SHIP TO PHONE").needs("00"),
    attribute("4309", &[n(10).lint(&[Latitude]), n(10).lint(&[Longitude])], "SHIP TO GEO").needs("00"),
    attribute("4310", ADDRESS_35, "RTN TO COMP").needs("00"),
    attribute("4311", ADDRESS_35, "RTN TO NAME").needs("00"),
    attribute("4312", ADDRESS_70, "RTN TO ADD1").needs("00"),
    attribute("4313", ADDRESS_70, "RTN TO ADD2").needs("4312"),
    attribute("4314", ADDRESS_70, "RTN TO SUB").needs("00"),
    attribute("4315", ADDRESS_70, "RTN TO LOC").needs("00"),
    attribute("4316", ADDRESS_70, "RTN TO REG").needs("00"),
    attribute("4317", COUNTRY_ALPHA_2, "RTN TO COUNTRY").needs("00"),
    attribute("4318", X_20, "RTN TO POST").needs("00"),
    attribute("4319", X_30, "RTN TO PHONE").needs("00"),
    attribute("4320", ADDRESS_35, "SRV DESCRIPTION").needs("00"),
    attribute("4321", YES_NO, "DANGEROUS GOODS").needs("00"),
    attribute("4322", YES_NO, "AUTH TO LEAVE").needs("00"),
    attribute("4323", YES_NO, "SIG REQUIRED").needs("00"),
    attribute("4324", DAY_OR_MONTH_TIME, "NOT BEF DEL DT").needs("00"),
    attribute("4325", DAY_OR_MONTH_TIME, "NOT AFT DEL DT").needs("00"),
    attribute("4326", DAY, "REL DATE").needs("00"),
    attribute("4330", TEMPERATURE, "MAX TEMP F.").needs("00").excludes("4331"),
    attribute("4331", TEMPERATURE, "MAX TEMP C.").needs("00").excludes("4330"),
    attribute("4332", TEMPERATURE, "MIN TEMP F.").needs("00").excludes("4333"),
    attribute("4333", TEMPERATURE, "MIN TEMP C.").needs("00").excludes("4332"),
    attribute("7001", &[n(13)], "NSN").needs("01,02,8006,8026"),
    attribute("7002", X_30, "MEAT CUT").needs(TRADE),
    attribute("7003", DAY_TIME, "EXPIRY TIME").needs(GOODS),
    attribute("7004", &[n_to(4)], "ACTIVE POTENCY").needs("01+10,03+10"),
    attribute("7005", &[x_to(12)], "CATCH AREA").needs(TRADE),
    attribute("7006", DAY, "FIRST FREEZE DATE").needs(TRADE),
    attribute("7007", &[n(6).lint(&[Yymmdd]), n(6).lint(&[Yymmdd]).optional()], "HARVEST DATE").needs(TRADE),
    attribute("7008", X_3, "AQUATIC SPECIES").needs(TRADE),
    attribute("7009", X_10, "FISHING GEAR TYPE").needs(TRADE),
    attribute("7010", &[x_to(2)], "PROD METHOD").needs(GOODS),
    attribute("7011", &[n(6).lint(&[Yymmdd]), n(4).lint(&[Hhmi]).optional()], "TEST BY DATE").needs(GOODS),
    attribute("7020", X_20, "REFURB LOT").needs("01+416,03+416,8006+416"),
    attribute("7021", X_20, "FUNC STAT").needs("01,03,8006"),
    attribute("7022", X_20, "REV STAT").needs("01+7021,03+7021,8006+7021"),
    attribute("7023", &[x_to(30).lint(&[GcpPos1])], "GIAI - ASSEMBLY"),
    attribute("7030-7039", PROCESSOR, "PROCESSOR").needs(TRADE),
    ai("7040", &[n(1), x(1), x(1), x(1).lint(&[ImporterIdx])], "UIC+EXT"),
    ai("7041", &[x_to(4).lint(&[PackageType])], "UFRGT UNIT TYPE").needs("00"),
    attribute("710", X_20, "NHRN PZN").needs("01"),
    attribute("711", X_20, "NHRN CIP").needs("01"),
    attribute("712", X_20, "NHRN CN").needs("01"),
    attribute("713", X_20, "NHRN DRN").needs("01"),
    attribute("714", X_20, "NHRN AIM").needs("01"),
    attribute("715", X_20, "NHRN NDC").needs("01"),
    attribute("716", X_20, "NHRN AIC").needs("01"),
    attribute("717", X_20, "NHRN SRN").needs("01"),
    attribute("7230-7239", CERTIFICATE, "CERT").needs("01,8004"),
    attribute("7240", X_20, "PROTOCOL").needs("01,8006").excludes("03"),
    attribute("7241", &[n(2).lint(&[MediaType])], "AIDC MEDIA TYPE").needs("8017,8018"),
    attribute("7242", X_25, "VCN").needs("8017,8018"),
    attribute("7250", &[n(8).lint(&[Yyyymmdd])], "DOB").needs("8018").excludes("7251"),
    attribute("7251", &[n(8).lint(&[Yyyymmdd]), n(4).lint(&[Hhmi])], "DOB TIME").needs("8018").excludes("7250"),
    attribute("7252", &[n(1).lint(&[Iso5218])], "BIO SEX").needs("8018"),
    attribute("7253", NAME_40, "FAMILY NAME").needs("8017,8018").excludes("7256,7259"),
    attribute("7254", NAME_40, "GIVEN NAME").needs("8017,8018").excludes("7256,7259"),
    attribute("7255", X_10, "SUFFIX").needs("8017,8018").excludes("7256,7259"),
    attribute("7256", &[x_to(90).lint(&[Pcenc])], "FULL NAME").needs("8017,8018"),
    attribute("7257", ADDRESS_70, "PERSON ADDR").needs("8018"),
    attribute("7258", &[x(3).lint(&[PosInSeqSlash])], "BIRTH SEQUENCE").needs("8018+7259"),
    attribute("7259", NAME_40, "BABY").needs("8018").excludes("7256"),
    attribute("8001", &[n(4).lint(&[NonZero]), n(5).lint(&[NonZero]), n(3).lint(&[NonZero]), n(1).lint(&[Winding]), n(1)], "DIMENSIONS").needs("01"),
    attribute("8002", X_20, "CMT No."),
    attribute("8003", &[n(1).lint(&[Zero]), n(13).lint(&[Csum, GcpPos1]), x_to(16).optional()], "GRAI").key(""),
    attribute("8004", &[x_to(30).lint(&[GcpPos1])], "GIAI").key("7040"),
    attribute("8005", N6, "PRICE PER UNIT").needs(TRADE),
    attribute("8006", ITIP, "ITIP").excludes("01,03,37").key("22,10,21"),
    attribute("8007", &[x_to(34).lint(&[Iban])], "IBAN").needs("415"),
    attribute("8008", &[n(6).lint(&[Yymmdd]), n(2).lint(&[Hh]), n(2).lint(&[Mi]).optional(), n(2).lint(&[Ss]).optional()], "PROD TIME").needs(GOODS),
    attribute("8009", &[x_to(50)], "OPTSEN").needs("00,01,03"),
    attribute("8010", &[y_to(30).lint(&[GcpPos1])], "CPID").key("8011"),
    ai("8011", &[n_to(12).lint(&[NoZeroPrefix])], "CPID SERIAL").needs("8010"),
    attribute("8012", X_20, "VERSION").needs("01,03,8006"),
    attribute("8013", &[x_to(25).lint(&[CsumAlpha, GcpPos1])], "GMN").key(""),
    ai("8014", &[x_to(25).lint(&[CsumAlpha, GcpPos1, HasNonDigit])], "MUDI").needs("01"),
    attribute("8017", GSRN, "GSRN - PROVIDER").excludes("8018").key("8019"),
    attribute("8018", GSRN, "GSRN - RECIPIENT").excludes("8017").key("8019"),
    ai("8019", &[n_to(10)], "SRIN").needs("8017,8018"),
    ai("8020", X_25, "REF No.").needs("415"),
    attribute("8026", ITIP, "ITIP CONTENT").needs("37").excludes("02,03,8006"),
    attribute("8030", &[z_to(90)], "DIGSIG").needs("00,01+21,03+21,253,255,8003,8004,8006+21,8010+8011,8017,8018"),
    ai("8040", &[n(15)], "IMEI").needs("01+21"),
    ai("8041", &[n(15)], "IMEI2").needs("01+21+8040"),
    ai("8042", &[n(32)], "ESIM").needs("01+21+8040"),
    ai("8043", &[n(18), n_to(2).optional()], "PSIM").needs("01+21+8040"),
    attribute("8110", &[x_to(70).lint(&[CouponCode])], ""),
    attribute("8111", N4, "POINTS").needs("255"),
    attribute("8112", &[x_to(70).lint(&[CouponPosOffer])], ""),
    ai("8200", X_70, "PRODUCT URL").needs("01"),
    attribute("90", X_30, "INTERNAL"),
    attribute("91-99", X_90, "INTERNAL"),
];
